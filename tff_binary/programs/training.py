# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Trains a user's Keras model on a user's clients, with resume."""

from collections.abc import Callable, Mapping, Sequence
import contextlib
import dataclasses
import functools
import inspect
import shutil
import tempfile
import time
from typing import Any, Optional, TextIO, Union

import tensorflow as tf
import tensorflow_federated as tff

from tff_binary import algorithms
from tff_binary import files
from tff_binary import learning
from tff_binary import parameters
from tff_binary.learning import keras_models
from tff_binary.programs import checkpoints
from tff_binary.programs import clients as clients_lib
from tff_binary.programs import evaluation
from tff_binary.programs import fingerprints
from tff_binary.programs import inputs
from tff_binary.programs import logs
from tff_binary.programs import metrics
from tff_binary.programs import models
from tff_binary.programs import progress as progress_lib
from tff_binary.programs import run_folder
from tff_binary.programs import tensorboard
from tff_binary.runtime import contexts
from tff_binary.runtime import errors
from tff_binary.runtime import settings

from tensorflow.python.framework import ops

_CLIENT_DATA = 'client_data'
_CHECKPOINTS = 'checkpoints'
_CLIENT_STATES = 'client_states'
_MODELS = 'models'
_TENSORBOARD = 'tensorboard'


@dataclasses.dataclass(frozen=True)
class TrainingResult:
  """What a run leaves.

  Attributes:
    model: The `tf.keras.Model` with the final global weights.
    history: One dict for each round, the rows of metrics.csv; see `metrics`.
    summary: The dict of result.json: test metrics, bytes, seconds, rounds and
      `weights_sha256`, the SHA-256 over the tensors of `model.get_weights()` in
      that order, each as its little-endian bytes in C order.
  """

  model: tf.keras.Model
  history: list[dict[str, Any]]
  summary: dict[str, Any]


def train(
    model_fn: Callable[[], tf.keras.Model],
    clients: Any,
    *,
    rounds: int,
    test: Optional[Any] = None,
    client_ids: Optional[Sequence[Union[int, str]]] = None,
    preprocess: Optional[Callable[[tf.data.Dataset], tf.data.Dataset]] = None,
    test_clients: Optional[Any] = None,
    loss_fn: Optional[Callable[[], keras_models.Losses]] = None,
    loss_weights: Optional[keras_models.LossWeights] = None,
    metrics_fn: Optional[Callable[[], keras_models.Metrics]] = None,
    algorithm: str = 'fedavg',
    hyperparameters: Optional[Any] = None,
    local_training: Optional[learning.LocalTraining] = None,
    compute_dtype: str = 'float32',
    clients_per_round: Optional[int] = None,
    evaluate_every: int = 1,
    keep_models_every: int = 0,
    monitor: Optional[str] = None,
    mode: Optional[str] = None,
    preprocess_test_fn: Optional[Callable[[Any], Any]] = None,
    seed: int = 0,
    output_dir: Optional[str] = None,
    flags: Optional[Mapping[str, Any]] = None,
    may_change: Sequence[str] = (),
    runtime: Union[settings.Runtime, str] = settings.Runtime(),
    progress: Union[bool, TextIO] = True,
    **process_options,
) -> TrainingResult:
  """Trains a Keras model on clients' data and returns it.

  ```
  result = tff_binary.programs.train(
      build_keras_model, [(images_0, labels_0), (images_1, labels_1), ...],
      test=(test_images, test_labels), algorithm='fedbat', rounds=20)
  result.model.predict(...)
  ```

  By default the model is a classifier, from features to logits. With `loss_fn`
  and `metrics_fn` it is whatever Keras' `fit` trains by supervision; features,
  labels and sample weights may then be structures of arrays.

  With an `output_dir` every round is written to it, and the same call made
  again, after whatever ended the first one, continues after the last finished
  round and ends with the same weights and metrics, times apart. What decides
  the result is recorded and must be the same then, see `fingerprints` for
  functions. Files that are damaged are named, and made again where what is
  whole allows it: the run goes back to the checkpoint before, and metrics.csv,
  result.json and the model follow from that. The random generators of Python,
  NumPy and TensorFlow are set by `seed`.

  Args:
    model_fn: A no-arg function that returns a new, uncompiled Keras model.
    clients: For each client its features and labels, and sample weights if the
      loss takes some: arrays of shape `[n, ...]`, or structures of such. `n`
      may differ and be 0. In a list, whose positions are the clients' ids, or in a
      dict from ids. Or a `tff.simulation.datasets.ClientData`, or a function
      from a client id to a `tf.data.Dataset`, of which only the ids are kept in
      memory.
    rounds: The number of rounds, at least 1.
    test: The central test set, like one client; or None.
    client_ids: The ids of the clients of a function; of a `ClientData` those to
      train on, by default all.
    preprocess: A function from the dataset of a `ClientData` or function to a
      dataset of batches `(x, y)` or `(x, y, sample_weight)`, or dicts of these
      names; None if it is one.
    test_clients: Clients' own test sets, in the form of `clients` (with its
      `client_ids` and `preprocess`). The metrics' mean and deciles over the
      clients become columns `test_clients_<metric>_...`, see
      `evaluation.build_client_evaluation`. None, the default, for none.
    loss_fn: See `learning.keras_model_fn`; for training and evaluation.
    loss_weights: See `learning.keras_model_fn`.
    metrics_fn: See `learning.keras_model_fn`; for training and evaluation, with
      the columns `train_<metric>` and `test_<metric>`.
    algorithm: One of `tff_binary.algorithms.names()`.
    hyperparameters: The algorithm's dataclass of hyper-parameters or a dict of
      its fields; None for the defaults.
    local_training: What each client does in a round; None for the defaults.
    compute_dtype: `'float32'`, or `'bfloat16'` for Keras mixed precision on the
      clients.
    clients_per_round: How many clients train in a round, drawn uniformly
      without replacement; None for all.
    evaluate_every: The test set is evaluated after every so many rounds and
      after the last one. It may change on resume, for the rounds to come.
    keep_models_every: The global model's weights before the first round, after
      every so many rounds and after the last one stay in models/, for
      `tff_binary.analysis`; 0 for none. It may change on resume.
    monitor: The test metric whose best value is kept in view, such as
      `'test_loss'`; by default the accuracy, or the loss where there is none.
    mode: Whether the best value of `monitor` is the `'max'` or the `'min'`; by
      default what is obvious for an accuracy or a loss.
    preprocess_test_fn: Replaces `local_training.preprocess_fn` in the
      evaluation.
    seed: Decides initial weights, drawn clients and all that clients draw; in
      `[0, 2**31)`.
    output_dir: The folder of the run: config.json, metrics.csv, tensorboard/,
      checkpoints/, result.json, worker.log, the final model and, if asked for,
      models/. If None, nothing is kept.
    flags: What the user has typed, to be recorded in config.json and compared
      on resume.
    may_change: Names of flags that may differ on resume. `rounds` may always,
      upwards, and `evaluate_every`.
    runtime: A `tff_binary.runtime.Runtime`, which says where TFF's computations
      run, or `'current'` for TFF's current context.
    progress: Whether to show the progress on `sys.stderr`, or a text stream to
      show it on. What else is meant for `sys.stderr` goes to worker.log.
    **process_options: Further keyword arguments of
      `learning.build_learning_process`, such as `server_optimizer`.

  Returns:
    A `TrainingResult`.

  Raises:
    TypeError: If a client's dataset does not consist of batches.
    ValueError: If an argument is outside its range, or if the model, the loss
      or a metric cannot take the clients' or the test data.
    RunFolderError: If the folder is in use, holds another run or damaged files
      that cannot be made again, or its disk is full.
    WorkerError: If a worker cannot be started or reached, or is lost for good.
  """
  algorithm = algorithms.get(algorithm)
  if hyperparameters is None:
    hyperparameters = {}
  if isinstance(hyperparameters, Mapping):
    hyperparameters = algorithm.hyperparameters(**hyperparameters)
  if local_training is None:
    local_training = learning.LocalTraining()
  clients = clients_lib.of(clients, client_ids, preprocess)
  local_training.check_fits(clients.is_stored)
  if test_clients is not None:
    test_clients = clients_lib.of(test_clients, client_ids, preprocess)
  if test is not None and not isinstance(test, tf.data.Dataset):
    test = inputs.as_test(test)
  if clients_per_round is None:
    clients_per_round = len(clients)
  numbers = parameters.check(
      rounds=rounds, evaluate_every=evaluate_every, seed=seed
  )
  numbers['clients_per_round'] = parameters.Constraint(
      int, minimum=1, maximum=len(clients)
  ).check('clients_per_round', clients_per_round)
  rounds, seed = numbers['rounds'], numbers['seed']
  parameters.check(
      compute_dtype=compute_dtype, keep_models_every=keep_models_every
  )
  metrics.check_monitor(monitor, mode)
  # Refuses names that are none of its parameters.
  inspect.signature(learning.build_learning_process).bind_partial(
      **process_options
  )
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
    stack.enter_context(_forgetting_gradients())
    stream = terminal if progress is True else progress or None

    tf.keras.utils.set_random_seed(seed)
    losses_and_metrics = dict(
        loss_fn=loss_fn, loss_weights=loss_weights, metrics_fn=metrics_fn
    )
    keras_model_fn = functools.partial(
        learning.keras_model_fn,
        model_fn,
        clients.element_spec,
        preprocess_fn=local_training.preprocess_fn,
        **losses_and_metrics,
    )
    build_model = keras_model_fn()  # Evaluation computes in float32.
    variable_model = build_model()
    model = variable_model.keras_model
    say = functools.partial(_say, stream)
    warning = variable_model.softmax_warning()
    if warning:  # Else in worker.log alone.
      say(f'warning: {warning}')
    initial_weights = model.get_weights()
    preprocess_test_fn = preprocess_test_fn or local_training.preprocess_fn
    _check_examples(
        model,
        clients,
        test,
        local_training.preprocess_fn,
        preprocess_test_fn,
        losses_and_metrics,
    )
    arguments = {
        'algorithm': algorithm.name,
        **dataclasses.asdict(hyperparameters),
        **{
            field.name: fingerprints.describe(
                getattr(local_training, field.name)
            )
            for field in dataclasses.fields(local_training)
        },
        'compute_dtype': compute_dtype,
        **numbers,
        **clients.settings(),
        **clients.details(),
        'test_clients': test_clients and test_clients.settings(),
        'test_clients_details': test_clients and test_clients.details(),
        **{
            name: fingerprints.describe(value)
            for name, value in losses_and_metrics.items()
        },
        'monitor': monitor,
        'mode': mode,
        'preprocess_test_fn': fingerprints.describe(preprocess_test_fn),
        'test_sha256': clients_lib.sha256(tf.nest.flatten(test or ()))
        if not isinstance(test, tf.data.Dataset)
        else None,
        'test_spec': None
        if test is None
        else str(evaluation.batch_spec(test)),
        'model': fingerprints.describe(model),
        'initial_weights_sha256': clients_lib.sha256(initial_weights),
    }
    settings_now = {
        'flags': dict(flags or {}),
        'arguments': arguments,
        run_folder.OPTIONS: _describe_options(process_options),
    }
    saved = checkpoints.Checkpoints(folder.path / _CHECKPOINTS)
    checkpoint = saved.newest(say)
    folder.check_settings(
        settings_now,
        _recorded_settings(folder, checkpoint, say),
        # Nothing that trains depends on which rounds are evaluated.
        (*may_change, 'evaluate_every'),
    )
    folder.write_settings(settings_now)
    result = _read_finished(folder, checkpoint, model, rounds, say)
    if result is not None:
      say(
          f'{folder.path}: all {rounds} rounds are done; choose another folder'
          ' to train anew'
      )
      return result

    if runtime != 'current':
      # Workers start while the process is built.
      stack.enter_context(
          contexts.execution_context(runtime, str(folder.log_path), wait=False)
      )
    client_data = folder.path / _CLIENT_DATA
    shutil.rmtree(client_data, ignore_errors=True)  # Of a killed process.
    stack.callback(shutil.rmtree, client_data, ignore_errors=True)
    progress = stack.enter_context(
        progress_lib.Progress(stream, rounds, advice)
    )
    process = algorithm.build(
        keras_model_fn(compute_dtype=compute_dtype),
        hyperparameters=hyperparameters,
        element_spec=clients.element_spec if clients.is_stored else None,
        local_training=local_training,
        seed=seed,
        **process_options,
    )
    if runtime != 'current' and runtime.merge == 'tff':  # Python values.
      contexts.check_merges(process.next, algorithm.name)
    # TFF traces Keras in graphs of version 1, which makes the classes of
    # earlier models unusable until a new model is made eagerly.
    variable_model = build_model()
    model = variable_model.keras_model
    model.set_weights(initial_weights)
    evaluate = _build_evaluate(
        model, test, test_clients, preprocess_test_fn, losses_and_metrics
    )
    try:
      history = _train_rounds(
          process,
          clients.next_round(
              process,
              str(client_data),
              runtime != 'current' and runtime.kind == 'remote',
          ),
          clients,
          _first_weights(
              variable_model,
              hyperparameters.method(seed),
              process_options.get('is_compressed'),
          ),
          model,
          evaluate,
          progress,
          folder.path,
          saved,
          checkpoint,
          metrics.History(
              checkpoint.notes['history'] if checkpoint else (), monitor, mode
          ),
          settings_now,
          keep_models_every=keep_models_every,
          **numbers,
      )
    except (errors.WorkerError, run_folder.RunFolderError):
      raise  # They say all there is to say.
    except Exception as e:
      if not run_folder.is_disk_full(e):
        print(logs.tail(folder.log_path), file=terminal)
      raise
    result = {
        **metrics.summarize(history),
        'weights_sha256': clients_lib.sha256(model.get_weights()),
        'model': _save_model(model, folder.path),
    }
    folder.write_result(result)
    return TrainingResult(model, history, result)


@contextlib.contextmanager
def _forgetting_gradients():
  """Drops the gradients that TensorFlow registers for graphs made in the block.

  It does so for every use of `tf.custom_gradient` in a graph, and never forgets
  them: they keep the graphs of all trainings, some 50 MB each, until the
  process ends.
  """
  registry = ops.gradient_registry
  before = set(registry.list())
  try:
    yield
  finally:
    for name in set(registry.list()) - before:
      if name.startswith('CustomGradient-'):
        del registry._registry[name]  # pylint: disable=protected-access


def _say(stream, text):
  """Shows a line to the user, before there is a progress bar."""
  if stream is not None:
    print(text, file=stream, flush=True)


def _describe_options(options):
  """Describes the options of a process that are not the default ones."""
  parameters = inspect.signature(learning.build_learning_process).parameters
  described = {}
  for name, value in options.items():
    description = fingerprints.describe(value)
    default = parameters[name].default if name in parameters else None
    if description != fingerprints.describe(default):
      described[name] = description
  return described


def _recorded_settings(folder, checkpoint, say):
  """Returns the settings of an earlier start, or None if there was none."""
  try:
    recorded = folder.read_settings()
  except files.DamagedFileError as e:
    if checkpoint is None:
      raise
    say(f'{e}; its contents are taken from {checkpoint.path}')
    recorded = None
  if recorded is None and checkpoint is not None:
    recorded = checkpoint.notes['settings']
  return recorded


def _read_finished(folder, checkpoint, model, rounds, say):
  """Reads what a run has left whose rounds are all done.

  Args:
    folder: The `run_folder.RunFolder`.
    checkpoint: The newest `checkpoints.Checkpoint`, or None.
    model: The Keras model that takes the weights.
    rounds: The number of all rounds.
    say: A function that shows the user a line of text.

  Returns:
    A `TrainingResult`, or None if rounds are missing or if something is damaged
    that the checkpoint makes up for.

  Raises:
    DamagedFileError: If there is no checkpoint to make up for it.
  """
  try:
    result = folder.read_result()
    if result is None or result.get('rounds') != rounds:
      return None
    if checkpoint is not None and checkpoint.round_num == rounds:
      history = checkpoint.notes['history']
      metrics.History(history).write(folder.path)
    else:
      history = metrics.read_history(folder.path, rounds)
    folder.check_result(metrics.summarize(history))
    _load_weights(model, folder.path / result['model'], result)
    return TrainingResult(model, history, result)
  except files.DamagedFileError as e:
    if checkpoint is None:
      raise
    say(f'{e}; it is made again from {checkpoint.path}')
    return None


def _load_weights(model, path, result):
  """Sets the model's weights to those of a file; checks that they are."""
  try:
    model.load_weights(path)
  except Exception as e:  # pylint: disable=broad-exception-caught
    # Whatever Keras, zipfile and HDF5 find wrong with it.
    raise files.DamagedFileError(path, files.reason(e)) from e
  if clients_lib.sha256(model.get_weights()) != result['weights_sha256']:
    raise files.DamagedFileError(path, 'its weights are not the result')


def _check_examples(
    model, clients, test, preprocess_fn, preprocess_test_fn, losses_and_metrics
):
  """Checks all arrays before any training."""
  if clients.is_stored:
    inputs.check_examples(
        model,
        [
            (inputs.client_name(client_id), clients[position])
            for position, client_id in enumerate(clients.ids)
        ],
        preprocess_fn=preprocess_fn,
        **losses_and_metrics,
    )
  if test is not None and not isinstance(test, tf.data.Dataset):
    inputs.check_examples(
        model,
        [('test', test)],
        preprocess_fn=preprocess_test_fn,
        **losses_and_metrics,
    )


def _build_evaluate(
    model, test, test_clients, preprocess_fn, losses_and_metrics
):
  """Returns a function that evaluates `model` on all test data, or None."""
  evaluations = []
  for build, data in (
      (evaluation.build_evaluation, test),
      (evaluation.build_client_evaluation, test_clients),
  ):
    if data is not None:
      evaluations.append(
          build(model, data, preprocess_fn=preprocess_fn, **losses_and_metrics)
      )
  if not evaluations:
    return None

  def evaluate():
    results = {}
    for function in evaluations:
      results.update(function())
    return results

  return evaluate


def _first_weights(model, method, is_compressed):
  """Returns the server's `ModelWeights` before the first round."""
  weights = tff.learning.models.ModelWeights.from_model(model)
  if method.initial_kernel is None:
    return weights
  # In place of kernels the server has something of the method's own.
  return method.initial_weights(
      learning.model_tensors(model, method, is_compressed), weights
  )


def _train_rounds(
    process,
    next_round,
    clients,
    first_weights,
    model,
    evaluate,
    progress,
    path,
    saved,
    checkpoint,
    history,
    settings_now,
    *,
    rounds,
    clients_per_round,
    evaluate_every,
    keep_models_every,
    seed,
):
  """Trains the remaining rounds; `model` ends with the final weights.

  A round leaves the clients' new states, then the checkpoint that says which of
  them belong to it, and only then what follows from the checkpoint.

  Args:
    process: The process, with or without client states.
    next_round: `process.next` with clients' positions in place of their data.
    clients: The clients.
    first_weights: The server's `ModelWeights` before the first round.
    model: The Keras model, with the initial weights.
    evaluate: A function that evaluates `model`, or None.
    progress: The `progress.Progress`.
    path: The folder of the run.
    saved: Its `checkpoints.Checkpoints`.
    checkpoint: The `checkpoints.Checkpoint` to go on from, or None.
    history: The `metrics.History` up to there.
    settings_now: The settings, to be noted in the checkpoints.
    rounds: See `train`.
    clients_per_round: See `train`.
    evaluate_every: See `train`.
    keep_models_every: See `train`.
    seed: See `train`.

  Returns:
    The history of all rounds, those before a resume included.
  """
  state = process.set_model_weights(process.initialize(), first_weights)
  rounds_done, notes = 0, {}
  if checkpoint is not None:
    state = checkpoint.state(state)
    rounds_done, notes = checkpoint.round_num, checkpoint.notes
    history.write(path)
  elif metrics.exists(path):
    progress.message(f'{path} has no checkpoint; training from round 1')
  sample = tff.simulation.build_uniform_sampling_fn(
      range(len(clients)), random_seed=seed
  )
  with contextlib.ExitStack() as stack:
    client_states = None
    positions = {client_id: i for i, client_id in enumerate(clients.ids)}
    if isinstance(process, learning.StatefulLearningProcess):
      stack.enter_context(_advice_on_client_states(saved))
      client_states = learning.ClientStates(
          path / _CLIENT_STATES,
          lambda client_id: process.initialize_client(positions[client_id]),
          notes.get('client_rounds', {}),
          rounds_done,
      )
    scalars = tensorboard.ScalarWriter(path / _TENSORBOARD)
    stack.callback(scalars.close)
    kept_models = None
    if keep_models_every:
      kept_models = models.KeptModels(path / _MODELS)
    if kept_models and not rounds_done:
      process.get_model_weights(state).assign_weights_to(model)
      kept_models.save(model, 0)
    progress.start(rounds_done)
    for round_num in range(rounds_done + 1, rounds + 1):
      start = time.monotonic()
      drawn = sample(round_num, clients_per_round)
      if client_states is None:
        state, output = next_round(state, drawn)
      else:
        ids = [clients.ids[position] for position in drawn]
        kept = [client_states.load(client_id) for client_id in ids]
        state, kept, output = next_round(state, kept, drawn)
        client_states.save(dict(zip(ids, kept)), round_num)
      row = {'round_num': round_num, **learning.round_metrics(output)}
      row['round_seconds'] = time.monotonic() - start
      if row['num_examples'] == 0:
        progress.message(
            f'warning: no client of round {round_num} could be used, all were'
            ' empty or diverged; the model is unchanged'
        )
      is_last = round_num == rounds
      is_evaluated = evaluate and (round_num % evaluate_every == 0 or is_last)
      is_kept = kept_models and (round_num % keep_models_every == 0 or is_last)
      if is_evaluated or is_kept:
        start = time.monotonic()
        samples = iter(learning.sampled_model_weights(process, state))
        next(samples).assign_weights_to(model)
        if is_kept:
          kept_models.save(model, round_num)
        if is_evaluated:
          row.update(_mean_evaluation(model, samples, evaluate))
          row['eval_seconds'] = time.monotonic() - start
      row = history.append(row)
      notes = {'settings': settings_now, 'history': history.rows}
      if client_states is not None:
        notes['client_rounds'] = client_states.rounds
      saved.save(state, round_num, notes)
      if client_states is not None:
        client_states.forget(saved.round_nums[0])
      history.write(path)
      scalars.write(round_num, row)
      progress.update(row)
  process.get_model_weights(state).assign_weights_to(model)
  return history.rows


def _mean_evaluation(model, samples, evaluate):
  """Returns the mean of what `evaluate` returns, now and for further samples.

  Args:
    model: The Keras model that `evaluate` is about, with the first weights.
    samples: Further `ModelWeights` for it.
    evaluate: A function that returns a dict of numbers.
  """
  results = [evaluate()]
  for weights in samples:
    weights.assign_weights_to(model)
    results.append(evaluate())
  return {
      name: sum(result[name] for result in results) / len(results)
      for name in results[0]
  }


@contextlib.contextmanager
def _advice_on_client_states(saved):
  """Says what to do about a client state that is lost."""
  try:
    yield
  except learning.ClientStateError as e:
    # It has replaced one that older checkpoints need in its place.
    older = [n for n in saved.round_nums if n < e.round_num]
    advice = 'restore it from a copy or choose another folder'
    if older:
      newest = saved.path_of(saved.round_nums[-1])
      advice = (
          f'restore it from a copy, or move {newest} away to go back to round'
          f' {older[-1]}'
      )
    raise run_folder.RunFolderError(f'{e}; {advice}') from e


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
      with files.atomic_write(path / name) as temporary:
        model.save(temporary)
      return name
  name = 'model.weights.h5'
  with files.atomic_write(path / name) as temporary:
    model.save_weights(temporary)
  return name
