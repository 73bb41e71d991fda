# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Bytes and seconds of the entropy coder.

  taskset -c 0 python -m benchmarks.entropy

Masks whose ones are drawn with one chance: the bytes that `EntropyCodec` sends
beyond their entropy, which is that under their own share of ones, and the CPU
time (on one core the time, were the machine not busy) of the fastest of some
runs that encode and decode signs. With `constriction` installed (not needed
otherwise), its ANS coder codes the same bits with the same share of ones.
Then masks of one client, drawn with probabilities that both ends know, the mean
masks of ten clients that agree more or less: their cross-entropy.
Then what wrapping other codecs in `EntropyCodec` gains, for signs that are as
likely as not, as those of FedBAT, and for updates of a normal distribution.
"""

import argparse
import math
import time

import numpy as np
import tensorflow as tf

from benchmarks import timing
from tff_binary import wire

try:
  import constriction
except ImportError:
  constriction = None

_CHANCES = (0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 1e-3, 1e-4, 1e-5, 0.0)


def _entropy(share):
  """Returns the entropy of a bit that is a one with some chance, in bits."""
  return -sum(p * math.log2(p) for p in (share, 1.0 - share) if p > 0.0)


def _fastest(function, argument, repeats):
  """Returns CPU milliseconds of the fastest run, and what it returned."""
  result, fastest = function(argument), math.inf
  for _ in range(repeats):
    start = time.process_time()
    result = function(argument)
    fastest = min(fastest, time.process_time() - start)
  return 1e3 * fastest, result


def _native(mask, repeats):
  """Returns CPU milliseconds that constriction takes to encode and decode."""
  model = constriction.stream.model.Bernoulli(
      float(np.mean(mask)), perfect=False
  )
  symbols = mask.astype(np.int32)

  def encode(symbols):
    coder = constriction.stream.stack.AnsCoder()
    coder.encode_reverse(symbols, model)
    return coder.get_compressed()

  def decode(words):
    return constriction.stream.stack.AnsCoder(words).decode(model, len(symbols))

  encoding, words = _fastest(encode, symbols, repeats)
  decoding, decoded = _fastest(decode, words, repeats)
  assert np.array_equal(decoded, symbols)
  return encoding, decoding


def _mask_row(chance, args):
  """Returns a row of the table of masks."""
  codec = wire.EntropyCodec(wire.SignCodec(1.0))
  mask = np.random.RandomState(args.seed).rand(args.length) < chance
  signs = tf.constant(np.where(mask, 1.0, -1.0), tf.float32)
  spec = tf.TensorSpec(signs.shape)
  # Packing takes its time too, with and without a coder.
  encode, decode = tf.function(codec.encode), tf.function(
      lambda payload: codec.decode(payload, spec)
  )
  encoding, payload = _fastest(encode, signs, args.repeats)
  decoding, decoded = _fastest(decode, payload, args.repeats)
  assert np.array_equal(decoded, signs)
  num_bytes = payload['bits'].shape[0]
  entropy = args.length / 8 * _entropy(np.mean(mask))
  row = [f'{chance:g}', num_bytes, entropy, num_bytes - entropy]
  row += [encoding, decoding]
  if constriction and 0.0 < np.mean(mask) < 1.0:
    native = _native(mask, args.repeats)
    row += [*native, (encoding + decoding) / sum(native)]
  elif constriction:
    row += [''] * 3
  return row


def _known_row(concentration, args):
  """Returns a row of the table of masks with known probabilities."""
  codec = wire.EntropyCodec(wire.SignCodec(1.0))
  random = np.random.RandomState(args.seed)
  chances = random.beta(concentration, concentration, args.length)
  chances = np.float32(random.binomial(10, chances) / 10.0)
  # The next round's masks are not quite certain where the last ones agreed.
  drawn = 0.01 + 0.98 * chances
  mask = random.rand(args.length) < drawn
  signs = tf.constant(np.where(mask, 1.0, -1.0), tf.float32)
  spec = tf.TensorSpec(signs.shape)
  known = tf.constant(chances)
  encode = tf.function(lambda x: codec.encode(x, chances=known))
  decode = tf.function(lambda x: codec.decode(x, spec, chances=known))
  encoding, payload = _fastest(encode, signs, args.repeats)
  decoding, decoded = _fastest(decode, payload, args.repeats)
  assert np.array_equal(decoded, signs)
  cost = np.where(mask, np.log2(drawn), np.log2(1.0 - drawn))
  cross_entropy = -np.sum(cost) / 8
  num_bytes = payload['bits'].shape[0]
  entropy = args.length / 8 * _entropy(np.mean(mask))
  return [
      f'{concentration:g}', num_bytes, cross_entropy,
      num_bytes - cross_entropy, entropy, encoding, decoding,
  ]  # pyformat: disable


def _gain_row(name, codec, value):
  """Returns a row of the table of other codecs."""

  def num_bytes(payload):
    return sum(x.dtype.size * int(tf.size(x)) for x in payload.values())

  value, seed = tf.constant(value), tf.constant([1, 2])
  raw = num_bytes(codec.encode(value, seed))
  coded = num_bytes(wire.EntropyCodec(codec).encode(value, seed))
  return [name, raw, coded, f'{100.0 * (1.0 - coded / raw):.2f} %']


def _gain_rows(args):
  random = np.random.RandomState(args.seed)
  update = random.randn(args.length).astype(np.float32)
  signs = np.where(random.rand(args.length) < 0.5, 0.01, -0.01)
  signs = signs.astype(np.float32)
  yield _gain_row('BinaryCodec, FedBAT signs', wire.BinaryCodec(), signs)
  yield _gain_row('SignCodec, normal', wire.SignCodec(), update)
  for form in ('uniform', 'qsgd'):
    for bits in (2, 3, 4, 8):
      codec = wire.QuantizedCodec(bits, form)
      yield _gain_row(f'QuantizedCodec({bits}, {form!r})', codec, update)


def _parse_args():
  parser = argparse.ArgumentParser(
      description=__doc__,
      formatter_class=argparse.RawDescriptionHelpFormatter,
  )
  parser.add_argument('--length', type=int, default=10**6, help='entries')
  parser.add_argument('--repeats', type=int, default=9)
  parser.add_argument('--seed', type=int, default=1)
  return parser.parse_args()


def main():
  args = _parse_args()
  timing.print_machine()
  header = ['chance', 'bytes', 'entropy', 'overhead']
  header += ['encode ms', 'decode ms']
  if constriction:
    header += ['constriction', 'decode ms', 'ratio']
  timing.print_table([_mask_row(p, args) for p in _CHANCES], header)
  print()
  timing.print_table(
      [_known_row(c, args) for c in (2.0, 0.5, 0.1, 0.02)],
      ['Beta(c, c)', 'bytes', 'cross-entropy', 'overhead', 'entropy',
       'encode ms', 'decode ms'],
  )
  print()
  timing.print_table(list(_gain_rows(args)), ['codec', 'raw', 'coded', 'gain'])
  timing.print_machine()


if __name__ == '__main__':
  main()
