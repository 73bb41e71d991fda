# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Trains a user's Keras model on a user's arrays, with resume."""

import atexit
from collections.abc import Callable, Mapping, Sequence
import contextlib
import dataclasses
import hashlib
import numbers
import shutil
import tempfile
import time
from typing import Any, Optional, TextIO, Union

import numpy as np
import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import algorithms
from tff_binary import learning
from tff_binary.programs import checkpoints
from tff_binary.programs import evaluation
from tff_binary.programs import logs
from tff_binary.programs import metrics
from tff_binary.programs import progress as progress_lib
from tff_binary.programs import run_folder
from tff_binary.runtime import contexts
from tff_binary.runtime import errors
from tff_binary.runtime import settings

from tensorflow_federated.python.core.impl.context_stack import set_default_context

# TFF's default context goes, with a complaint, when half of Python is gone; the
# worker that it may have started would stay.
atexit.register(set_default_context.set_no_default_context)

_Arrays = tuple[np.ndarray, np.ndarray]

_CLIENT_DATA = 'client_data'
_CHECKPOINTS = 'checkpoints'
_CLIENT_STATES = 'client_states'


@dataclasses.dataclass(frozen=True)
class TrainingResult:
  """What a run leaves.

  Attributes:
    model: The `tf.keras.Model` with the final global weights.
    history: One dict for each round, the rows of metrics.csv; see
      `metrics.COLUMNS`.
    summary: The dict of result.json: accuracies, bytes, seconds, rounds and
      `weights_sha256`, the SHA-256 over the tensors of `model.get_weights()` in
      that order, each as its little-endian bytes in C order.
  """

  model: tf.keras.Model
  history: list[dict[str, Any]]
  summary: dict[str, Any]


def train(
    model_fn: Callable[[], tf.keras.Model],
    clients: Sequence[_Arrays],
    *,
    rounds: int,
    test: Optional[_Arrays] = None,
    algorithm: str = 'fedavg',
    hyperparameters: Optional[Any] = None,
    local_training: Optional[learning.LocalTraining] = None,
    compute_dtype: str = 'float32',
    clients_per_round: Optional[int] = None,
    evaluate_every: int = 1,
    preprocess_test_fn: Optional[Callable[[tf.Tensor], tf.Tensor]] = None,
    seed: int = 0,
    output_dir: Optional[str] = None,
    flags: Optional[Mapping[str, Any]] = None,
    may_change: Sequence[str] = (),
    runtime: Union[settings.Runtime, str] = settings.Runtime(),
    progress: Union[bool, TextIO] = True,
    **process_options,
) -> TrainingResult:
  """Trains a classifier on clients' arrays and returns it.

  ```
  result = tff_binary.programs.train(
      build_keras_model, [(images_0, labels_0), (images_1, labels_1), ...],
      test=(test_images, test_labels), algorithm='fedbat', rounds=20)
  result.model.predict(...)
  ```

  With an `output_dir` every round is written to it, and the same call made
  again, after whatever ended the first one, continues after the last finished
  round and ends with the same weights and metrics, times apart. The random
  generators of Python, NumPy and TensorFlow are set by `seed`.

  Args:
    model_fn: A no-arg function that returns a new, uncompiled Keras model from
      features to float32 logits.
    clients: For each client its features, an array of shape `[n, ...]`, and its
      integer labels, of shape `[n]`. `n` may differ and be 0.
    rounds: The number of rounds, at least 1.
    test: Features and labels of the central test set, or None.
    algorithm: One of `tff_binary.algorithms.names()`.
    hyperparameters: The algorithm's dataclass of hyper-parameters or a dict of
      its fields; None for the defaults.
    local_training: What each client does in a round; None for the defaults.
    compute_dtype: `'float32'`, or `'bfloat16'` for Keras mixed precision on the
      clients.
    clients_per_round: How many clients train in a round, drawn uniformly
      without replacement; None for all.
    evaluate_every: The test set is evaluated after every so many rounds and
      after the last one.
    preprocess_test_fn: Replaces `local_training.preprocess_fn` in the
      evaluation.
    seed: Decides initial weights, drawn clients and all that clients draw; in
      `[0, 2**31)`.
    output_dir: The folder of the run: config.json, metrics.csv, tensorboard/,
      checkpoints/, result.json, worker.log and the final model. If None,
      nothing is kept.
    flags: What the user has typed, to be recorded in config.json and compared
      on resume.
    may_change: Names of flags that may differ on resume. `rounds` may always,
      upwards.
    runtime: A `tff_binary.runtime.Runtime`, which says where TFF's computations
      run, or `'current'` for TFF's current context.
    progress: Whether to show the progress on `sys.stderr`, or a text stream to
      show it on. What else is meant for `sys.stderr` goes to worker.log.
    **process_options: Further keyword arguments of
      `learning.build_learning_process`, such as `server_optimizer`.

  Returns:
    A `TrainingResult`.

  Raises:
    ValueError: If an argument is outside its range.
    RunFolderError: If the folder is in use, holds another run, or its disk is
      full.
    WorkerError: If a worker cannot be started or reached, or is lost for good.
  """
  algorithm = algorithms.get(algorithm)
  if hyperparameters is None:
    hyperparameters = {}
  if isinstance(hyperparameters, Mapping):
    hyperparameters = algorithm.hyperparameters(**hyperparameters)
  if local_training is None:
    local_training = learning.LocalTraining()
  num_clients = _integer('the number of clients', len(clients), 1)
  if clients_per_round is None:
    clients_per_round = num_clients
  clients_per_round = _integer(
      'clients_per_round', clients_per_round, 1, num_clients
  )
  rounds = _integer('rounds', rounds, 1)
  evaluate_every = _integer('evaluate_every', evaluate_every, 1)
  seed = _integer('seed', seed, 0, 2**31 - 1)
  if not isinstance(runtime, settings.Runtime) and runtime != 'current':
    raise ValueError(
        f"runtime must be a tff_binary.runtime.Runtime or 'current', got"
        f' {runtime!r}'
    )

  with contextlib.ExitStack() as stack:
    advice = 'run the same again to resume'
    if output_dir is None:
      output_dir = stack.enter_context(tempfile.TemporaryDirectory())
      advice = 'nothing is kept without an output_dir'
    folder = stack.enter_context(run_folder.RunFolder(output_dir))
    terminal = stack.enter_context(logs.stderr_to(folder.log_path))
    stream = terminal if progress is True else progress or None

    tf.keras.utils.set_random_seed(seed)
    example = clients[0][0], local_training.preprocess_fn
    model = _build_model(model_fn, *example)
    initial_weights = model.get_weights()
    arguments = {
        'algorithm': algorithm.name,
        **dataclasses.asdict(hyperparameters),
        'local_epochs': local_training.local_epochs,
        'batch_size': local_training.batch_size,
        'optimizer': _describe(local_training.optimizer),
        'server_optimizer': _describe(process_options.get('server_optimizer')),
        'compute_dtype': compute_dtype,
        'rounds': rounds,
        'num_clients': num_clients,
        'clients_per_round': clients_per_round,
        'evaluate_every': evaluate_every,
        'seed': seed,
        'clients_sha256': _sha256(array for c in clients for array in c),
        'test_sha256': _sha256(test or ()),
        'initial_weights_sha256': _sha256(initial_weights),
    }
    folder.update_settings(
        {'flags': dict(flags or {}), 'arguments': arguments}, may_change
    )
    result = folder.read_result()
    if result is not None and result['rounds'] == rounds:
      if stream is not None:
        print(
            f'{folder.path}: all {rounds} rounds are done; delete the folder to'
            ' train anew',
            file=stream,
        )
      model.load_weights(folder.path / result['model'])
      return TrainingResult(model, metrics.read_history(folder.path), result)

    client_data = folder.path / _CLIENT_DATA
    shutil.rmtree(client_data, ignore_errors=True)  # Of a killed process.
    stack.callback(shutil.rmtree, client_data, ignore_errors=True)
    store = learning.ClientStore.write(str(client_data), clients)
    progress = stack.enter_context(
        progress_lib.Progress(stream, rounds, advice)
    )
    process = algorithm.build(
        learning.keras_model_fn(
            model_fn,
            store.element_spec,
            preprocess_fn=local_training.preprocess_fn,
            compute_dtype=compute_dtype,
        ),
        hyperparameters=hyperparameters,
        element_spec=store.element_spec,
        local_training=local_training,
        seed=seed,
        **process_options,
    )
    # TFF traces Keras in graphs of version 1, which makes the classes of
    # earlier models unusable until a new model is made eagerly.
    model = _build_model(model_fn, *example)
    model.set_weights(initial_weights)
    evaluate = None
    if test is not None:
      evaluate = evaluation.build_evaluation(
          model,
          test,
          preprocess_fn=preprocess_test_fn or local_training.preprocess_fn,
      )
    if runtime != 'current':
      stack.enter_context(
          contexts.execution_context(runtime, str(folder.log_path))
      )
    try:
      history = _train_rounds(
          process,
          _build_next_round(process, store, clients, runtime),
          model,
          evaluate,
          progress,
          folder.path,
          rounds=rounds,
          num_clients=num_clients,
          clients_per_round=clients_per_round,
          evaluate_every=evaluate_every,
          seed=seed,
      )
    except Exception as e:
      # These two say all there is to say.
      if not (run_folder.is_disk_full(e) or isinstance(e, errors.WorkerError)):
        print(logs.tail(folder.log_path), file=terminal)
      raise
    result = {
        **metrics.summarize(history),
        'weights_sha256': _sha256(model.get_weights()),
        'model': _save_model(model, folder.path),
    }
    folder.write_result(result)
    return TrainingResult(model, history, result)


def _build_next_round(process, store, clients, runtime):
  """Returns `process.next` with client ids in place of the clients' data."""
  if runtime != 'current' and runtime.kind == 'remote':
    # The workers do not see this machine's files: the data travels.
    return lambda *args: process.next(
        *args[:-1], [learning.client_dataset(*clients[i], i) for i in args[-1]]
    )
  return tff.simulation.compose_dataset_computation_with_computation(
      store.dataset_computation, process.next
  )


def _train_rounds(
    process,
    next_round,
    model,
    evaluate,
    progress,
    path,
    *,
    rounds,
    num_clients,
    clients_per_round,
    evaluate_every,
    seed,
):
  """Trains the remaining rounds; `model` ends with the final weights.

  Args:
    process: The process, with or without client states.
    next_round: `process.next` with client ids in place of the clients' data.
    model: The Keras model, with the initial weights.
    evaluate: A function that evaluates `model`, or None.
    progress: The `progress.Progress`.
    path: The folder of the run.
    rounds: See `train`.
    num_clients: The number of all clients.
    clients_per_round: See `train`.
    evaluate_every: See `train`.
    seed: See `train`.

  Returns:
    The history of all rounds, those before a resume included.
  """
  saved = checkpoints.Checkpoints(path / _CHECKPOINTS)
  state, rounds_done = saved.load_latest(
      process.set_model_weights(
          process.initialize(),
          tff.learning.models.ModelWeights.from_model(model),
      )
  )
  client_states = None
  if isinstance(process, learning.StatefulLearningProcess):
    client_states = learning.ClientStates(
        path / _CLIENT_STATES, process.initialize_client, rounds_done
    )
  history = metrics.History(path, rounds_done)
  tensorboard = tff.program.TensorBoardReleaseManager(path / 'tensorboard')
  sample = tff.simulation.build_uniform_sampling_fn(
      range(num_clients), random_seed=seed
  )
  progress.start(rounds_done)
  for round_num in range(rounds_done + 1, rounds + 1):
    start = time.monotonic()
    ids = sample(round_num, clients_per_round)
    if client_states is None:
      state, output = next_round(state, ids)
    else:
      kept = [client_states.load(client_id) for client_id in ids]
      state, kept, output = next_round(state, kept, ids)
      client_states.save(dict(zip(ids, kept)), round_num)
    row = {'round_num': round_num, **learning.round_metrics(output)}
    row['round_seconds'] = time.monotonic() - start
    if row['num_examples'] == 0:
      progress.message(
          f'warning: no client of round {round_num} could be used, all were'
          ' empty or diverged; the model is unchanged'
      )
    if evaluate and (round_num % evaluate_every == 0 or round_num == rounds):
      start = time.monotonic()
      process.get_model_weights(state).assign_weights_to(model)
      row.update(evaluate())
      row['eval_seconds'] = time.monotonic() - start
    # The row first: a checkpoint without its row could not be made up for.
    row = history.append(row)
    saved.save(state, round_num)
    if client_states is not None:
      client_states.forget()
    measured = {k: v for k, v in row.items() if v is not None}
    checkpoints.wait_for(tensorboard.release(measured, round_num))
    progress.update(row)
  process.get_model_weights(state).assign_weights_to(model)
  return history.rows


def _integer(name, value, minimum, maximum=None):
  """Returns the value as an `int`; raises a `ValueError` if out of range."""
  if (
      not isinstance(value, numbers.Integral)
      or value < minimum
      or (maximum is not None and value > maximum)
  ):
    allowed = f'in [{minimum}, {maximum}]' if maximum else f'>= {minimum}'
    raise ValueError(f'{name} must be an integer {allowed}, got {value!r}')
  return int(value)


def _build_model(model_fn, features, preprocess_fn):
  """Returns a new model, with weights even if it waits for its first input."""
  features = tf.zeros([1, *np.shape(features)[1:]], np.asarray(features).dtype)
  model = model_fn()
  model(preprocess_fn(features) if preprocess_fn is not None else features)
  return model


def _describe(optimizer):
  """Returns an optimizer's name and numbers, to recognize it by."""
  if optimizer is None:
    return None
  return {
      'name': type(optimizer).__name__.strip('_'),
      **{
          name.strip('_'): value
          for name, value in sorted(vars(optimizer).items())
          if isinstance(value, (int, float))
      },
  }


def _sha256(arrays):
  """Returns the digest of the arrays' little-endian bytes in C order."""
  digest = hashlib.sha256()
  for array in arrays:
    array = np.asarray(array)
    digest.update(
        np.ascontiguousarray(array, array.dtype.newbyteorder('<')).data
    )
  return digest.hexdigest()


def _save_model(model, path):
  """Saves a Keras model in the best format that can hold it.

  Args:
    model: The model.
    path: The folder.

  Returns:
    The file's name: `model.keras`; `model.h5` if that format cannot hold it;
    `model.weights.h5` if only its weights can be saved.
  """
  for name in ('model.keras', 'model.h5'):
    with contextlib.suppress(NotImplementedError, TypeError, ValueError):
      with run_folder.atomic_write(path / name) as temporary:
        model.save(temporary)
      return name
  name = 'model.weights.h5'
  with run_folder.atomic_write(path / name) as temporary:
    model.save_weights(temporary)
  return name
