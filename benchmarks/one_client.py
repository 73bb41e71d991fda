# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The training of one client without TFF's runtime, and its memory."""

import os
import pathlib
import re
import subprocess
import sys

# What is freed shall leave the process at once: with oneDNN, TensorFlow keeps it
# in a pool that grows by doubling, and glibc keeps blocks below a size that it
# adapts to what the program allocates.
_ENVIRONMENT = {
    'TF_ENABLE_ONEDNN_OPTS': '0',
    'MALLOC_MMAP_THRESHOLD_': str(2**17),
}


def training(model, weight_layers, local_training):
  """Returns a function that trains a client.

  Args:
    model: A `tff.learning.models.VariableModel`.
    weight_layers: For each trainable variable its `WeightLayer`, or None.
    local_training: A `learning.LocalTraining`.

  Returns:
    A function of the client's data, from `learning.client_dataset`, to what
    `local_training.build_client_update` says.
  """
  # A process that only starts others needs none of these.
  # pylint: disable=g-import-not-at-top
  import tensorflow as tf
  import tensorflow_federated as tff

  from tff_binary.learning import local_training as local_training_lib
  # pylint: enable=g-import-not-at-top

  weights = tf.nest.map_structure(
      lambda variable: tf.constant(variable.numpy()),
      tff.learning.models.ModelWeights.from_model(model),
  )
  client_update = local_training_lib.build_client_update(
      model, weight_layers, local_training, seed=0
  )
  return lambda data: client_update(
      tf.constant(0), weights, data.get_single_element(), ()
  )


def resident_bytes():
  """Returns the memory of this process."""
  return _status_bytes('VmRSS')


def peak_bytes():
  """Returns the most that `resident_bytes` was since the last `forget_peak`."""
  return _status_bytes('VmHWM')


def forget_peak():
  """Makes the peak what is resident now."""
  pathlib.Path('/proc/self/clear_refs').write_text('5', encoding='utf-8')


def _status_bytes(name):
  status = pathlib.Path('/proc/self/status').read_text(encoding='utf-8')
  return 1024 * int(re.search(rf'{name}:\s+(\d+) kB', status).group(1))


def measured(module, what, flags):
  """Returns the numbers in the last line of `--measure` in a new process.

  Args:
    module: The name of a benchmark.
    what: The value of its `--measure`.
    flags: A dict of further flags.
  """
  command = [sys.executable, '-m', module, '--measure', what]
  for name, value in flags.items():
    command += [f'--{name}', str(value)]
  output = subprocess.run(
      command,
      env={**os.environ, **_ENVIRONMENT},
      check=True,
      stdout=subprocess.PIPE,
      stderr=subprocess.DEVNULL,
      text=True,
  ).stdout
  return [int(x) for x in output.splitlines()[-1].split()]
