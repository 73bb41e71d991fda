# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
r"""Trains a task by a federated algorithm.

python -m launchers.train --task=fmnist --algorithm=fedbat --partition=iid \
    --num_clients=100 --clients_per_round=10 --rounds=100 --local_epochs=10 \
    --batch_size=64 --learning_rate=0.1 --seed=1 --data_dir=... --output_dir=...

The same command resumes a run that was stopped. The defaults are the settings
of the FedBAT paper's experiments on Fashion-MNIST; launchers.reproduce runs
these and other published ones.
"""

import dataclasses
import json
import os

from absl import flags
from absl.testing import flagsaver

from launchers import cli
from launchers import constrained_flags
from launchers import runtime_flags
from tff_binary import algorithms
from tff_binary import parameters

flags.adopt_module_key_flags(runtime_flags)

_TASK = flags.DEFINE_string(
    'task',
    'fmnist',
    'Data and model: cifar10, cifar100, cinic10, digits, fmnist, shakespeare,'
    ' svhn.',
)
_ALGORITHM = flags.DEFINE_enum(
    'algorithm',
    'fedbat',
    algorithms.names(),
    'How clients train and what they send. '
    + '; '.join(
        f'{name}: {algorithms.get(name).summary}' for name in algorithms.names()
    ),
)

_DATA_DIR = flags.DEFINE_string(
    'data_dir',
    None,
    "The folder of the task's official files. Without it they are downloaded"
    ' into --cache_dir.',
)
_CACHE_DIR = flags.DEFINE_string(
    'cache_dir', None, 'The folder for downloads; ~/.cache/tff_binary if unset.'
)
_TRAIN_EXAMPLES = flags.DEFINE_integer(
    'train_examples', None, 'Uses only so many training examples.', 1
)
_KERNEL_INITIALIZER = flags.DEFINE_enum(
    'kernel_initializer',
    'paper',
    ['paper', 'kaiming'],
    'Initial kernels: N(0, 0.01^2), or N(0, 2 / fan_in).',
)

_MODEL = flags.DEFINE_string(
    'model',
    None,
    'Of --task=cifar10, cifar100, cinic10, fmnist and svhn: conv4, conv6,'
    ' conv10, convnet (cinic10 if unset), convnet_narrow, fedbat_cnn (fmnist'
    ' and svhn if unset), resnet10 (cifar100 if unset), resnet10_wide, resnet18'
    ' (cifar10 if unset), resnet34 or vgg11_light.',
)
_AUGMENT = flags.DEFINE_boolean(
    'augment',
    None,
    'Of --task=cifar10, cifar100 and cinic10: clients train on randomly shifted'
    ' and flipped images.',
)
_VERIFY = flags.DEFINE_boolean(
    'verify',
    None,
    'Of --task=cifar10, cifar100, cinic10 and svhn: --noverify reads other files'
    ' than the official ones.',
)
_NORMALIZATION = flags.DEFINE_string(
    'normalization',
    None,
    'Of the tasks that have --model: the data set whose mean and deviation'
    " standardize pixels, cifar10, imagenet or mnist; the task's own if unset.",
)
_LABEL_MODE = flags.DEFINE_string(
    'label_mode',
    None,
    'Of --task=cifar100: fine, 100 classes, or coarse, 20; fine if unset.',
)

_LSTM_UNITS = flags.DEFINE_integer(
    'lstm_units',
    None,
    'Of --task=shakespeare: units of each LSTM layer; 256 if unset.',
    1,
)
_MIN_CHARACTERS = flags.DEFINE_integer(
    'min_characters',
    None,
    'Of --task=shakespeare: leaves out roles that say less; 0 if unset.',
    0,
)
_TASK_OPTIONS = (
    _MODEL,
    _AUGMENT,
    _VERIFY,
    _NORMALIZATION,
    _LABEL_MODE,
    _LSTM_UNITS,
    _MIN_CHARACTERS,
)

_PARTITION = flags.DEFINE_enum(
    'partition',
    None,
    [
        'natural', 'iid', 'dirichlet', 'dirichlet_balanced', 'labels',
        'labels_random',
    ],  # pyformat: disable
    'How examples are spread over clients: as they come, of tasks with natural'
    ' clients (shakespeare), and their default; at random, the default of the'
    ' others; by label proportions from a Dirichlet distribution; the same'
    ' with clients of equal size; the least used labels for each client in'
    ' turn; random labels for each client.',
)
_PARTITION_SEED = flags.DEFINE_integer(
    'partition_seed', 1234, 'Seed of the partition.', 0, 2**32 - 1
)
_DIRICHLET_BETA = flags.DEFINE_float(
    'dirichlet_beta',
    None,
    'Concentration, > 0, of --partition=dirichlet and dirichlet_balanced; 0.3'
    ' if unset.',
)
_LABELS_PER_CLIENT = flags.DEFINE_integer(
    'labels_per_client',
    None,
    'Labels of a client, of --partition=labels and labels_random; 3 if unset.',
    1,
)
_DEFAULT_NUM_CLIENTS = 100
_NUM_CLIENTS = flags.DEFINE_integer(
    'num_clients',
    None,
    f'Number of clients; {_DEFAULT_NUM_CLIENTS} if unset. Of'
    ' --partition=natural: the first so many; all if unset.',
    1,
)
_PRINT_PARTITION = flags.DEFINE_boolean(
    'print_partition',
    False,
    "Prints the clients' sizes and label counts instead of training.",
)
_PLOT_PARTITION = flags.DEFINE_string(
    'plot_partition',
    None,
    "Draws the clients' label counts into this PNG file instead of training.",
)


def _define(name, default, help_text):
  return constrained_flags.define(
      name, default, help_text, parameters.RUN[name]
  )


_ROUNDS = _define('rounds', 100, 'Number of rounds.')
_CLIENTS_PER_ROUND = _define(
    'clients_per_round', 10, 'Clients drawn in each round.'
)
_LOCAL_EPOCHS = _define(
    'local_epochs', 10, "Passes over a client's data in a round."
)
_BATCH_SIZE = _define('batch_size', 64, 'Examples in a batch of a client.')
_OPTIMIZERS = {
    'sgd': ('build_sgdm', {}),
    'momentum': ('build_sgdm', {'momentum': 0.9}),
    'adagrad': ('build_adagrad', {}),
    'adam': ('build_adam', {}),
    'adamw': ('build_adamw', {}),
    'rmsprop': ('build_rmsprop', {}),
    'yogi': ('build_yogi', {}),
}
_CLIENT_OPTIMIZER = flags.DEFINE_enum(
    'client_optimizer',
    'sgd',
    list(_OPTIMIZERS),
    "The clients' optimizer; momentum is SGD with momentum 0.9.",
)
_LEARNING_RATE = flags.DEFINE_float(
    'learning_rate', 0.1, "Learning rate, > 0, of the clients' optimizer."
)
_PROXIMAL_STRENGTH = _define(
    'proximal_strength',
    0.0,
    'mu of FedProx: half of it times the squared distance from what a client'
    ' starts with is added to its loss.',
)
_KEEP_OPTIMIZER_STATE = _define(
    'keep_optimizer_state',
    False,
    "Whether a client goes on with its optimizer's state from the last round that"
    " it took part in, as FedPM's code does.",
)
_SERVER_OPTIMIZER = flags.DEFINE_enum(
    'server_optimizer',
    'sgd',
    list(_OPTIMIZERS),
    "The server's optimizer; momentum is FedAvgM's with 0.9.",
)
_SERVER_LEARNING_RATE = flags.DEFINE_float(
    'server_learning_rate',
    1.0,
    "Learning rate, > 0, of the server's optimizer.",
)
_DOWNLINK_BITS = _define(
    'downlink_bits',
    32,
    'Bits of the code of a kernel entry on its way to the clients; 32 for none.'
    ' Not for methods with a downlink of their own.',
)
_DOWNLINK_STEP_SCALE = _define(
    'downlink_step_scale',
    0.0,
    'Step between these codes in root mean squares of a kernel, with rounding to'
    ' the nearest, 0.5 or so; 0 for codes up to its largest entry, stochastically'
    ' rounded.',
)
_DOWNLINK_CODING = _define(
    'downlink_coding',
    'packed',
    'How codes of up to 8 bits are sent: packed; entropy, in as many bits as they'
    ' have entropy; or changes, in as many as it takes to get to them from those'
    ' that the client got when it last took part. Or differences, without codes:'
    ' a client gets roughly what kernels differ by from those that it has kept,'
    ' and at first all of them in downlink_bits, 2 to 4.',
)
_DOWNLINK_DIFFERENCE_BITS = _define(
    'downlink_difference_bits',
    1.0,
    'Entropy of an entry of these differences, in bits.',
)
_OTHER_BITS = _define(
    'other_bits',
    32,
    'Bits up of an entry of what is not compressed, such as biases and batch'
    " normalization's tensors, below 32 as a stochastically rounded float.",
)
_LOCAL_BITS = _define(
    'local_bits',
    32,
    'Bits that clients of any algorithm compute with, below 32 in emulated'
    ' block floating point; what is sent stays the same. For --algorithm=lpt'
    ' use --bits.',
)
_COMPUTE_DTYPE = _define(
    'compute_dtype',
    'float32',
    'What clients compute in; bfloat16 is Keras mixed precision.',
)
_SEED = _define(
    'seed',
    1,
    'Seed of initial weights, drawn clients and all that clients draw.',
)
_EVALUATE_EVERY = _define(
    'evaluate_every', 1, 'Evaluates the test set after every so many rounds.'
)
_KEEP_MODELS_EVERY = _define(
    'keep_models_every',
    0,
    "Keeps the model before the first round and after every so many, for"
    ' launchers.analyze; 0 for none.',
)
_OBSERVE_UPDATES = flags.DEFINE_boolean(
    'observe_updates',
    False,
    'Measures in every round and kernel what is lost between an update and what'
    ' is sent of it, step sizes and flipped bits: further columns of'
    ' metrics.csv, for launchers.analyze.',
)
_OUTPUT_DIR = flags.DEFINE_string(
    'output_dir',
    None,
    'Folder of the run; runs/TASK_PARTITION_CLIENTS_ALGORITHM_seedN if unset.',
)

# Where computations run, and which files are read and written, does not change
# the result.
MAY_CHANGE = (
    *runtime_flags.NAMES,
    'cache_dir',
    'data_dir',
    'keep_models_every',
    'output_dir',
    'plot_partition',
    'print_partition',
)


def _define_hyperparameters():
  """Defines a flag for each hyper-parameter of the registered algorithms.

  Returns:
    A dict from the names of flags to the names of their algorithms.
  """
  uses = {}
  for name in algorithms.names():
    for field in dataclasses.fields(algorithms.get(name).hyperparameters):
      uses.setdefault(field.name, {})[name] = field
  for flag, fields in uses.items():
    field = next(iter(fields.values()))
    constraint = field.metadata['constraint']
    differ = any(
        f.metadata['constraint'] != constraint for f in fields.values()
    )
    text = '; '.join(
        f'{name}: {_describe(f, differ)}' for name, f in fields.items()
    )
    # The dataclass checks its values too. It alone does if algorithms share a
    # flag but not its range; of strings the flag has all choices.
    choices = dict.fromkeys(
        choice
        for f in fields.values()
        for choice in f.metadata['constraint'].choices or ()
    )
    if choices:
      constraint = dataclasses.replace(constraint, choices=tuple(choices))
    constrained_flags.define(
        flag,
        None,
        text,
        None if differ and not choices else constraint,
        constraint.kind,
    )
  return {flag: list(fields) for flag, fields in uses.items()}


def _describe(field, names_range):
  text = field.metadata['help']
  constraint = field.metadata['constraint']
  if names_range and constraint.kind is not bool:
    text += f'; {constraint}'
  text += f'; {field.default} if unset'
  if field.metadata['source']:
    text += f" ({field.metadata['source']})"
  return text


_HYPERPARAMETERS = _define_hyperparameters()


def _read_hyperparameters():
  """Returns the chosen algorithm's hyper-parameters from their flags."""
  values = {}
  for flag, names in _HYPERPARAMETERS.items():
    value = flags.FLAGS[flag].value
    if value is None:
      continue
    if _ALGORITHM.value not in names:
      raise cli.UsageError(
          f'--{flag}={value} is a flag of {", ".join(names)}, not of'
          f' --algorithm={_ALGORITHM.value}'
      )
    values[flag] = value
  with cli.errors_named_by_flags():
    return algorithms.get(_ALGORITHM.value).hyperparameters(**values)


def _read_partition_options():
  """Returns the chosen partition's options from their flags."""
  options = {}
  for flag, default, partitions in (
      (_DIRICHLET_BETA, 0.3, ['dirichlet', 'dirichlet_balanced']),
      (_LABELS_PER_CLIENT, 3, ['labels', 'labels_random']),
  ):
    if _PARTITION.value in partitions:
      options[flag.name] = default if flag.value is None else flag.value
    elif flag.value is not None:
      raise cli.UsageError(
          f'--{flag.name}={flag.value} is a flag of'
          f' --partition={" and ".join(partitions)}, not of'
          f' {_PARTITION.value or "the default one"}'
      )
  return options


def _check_positive(values):
  for name, value in values.items():
    if not 0.0 < value < float('inf'):
      raise cli.UsageError(
          f'--{name} must be a positive number, got {value}'
      )


def _check_clients_per_round(num_clients):
  if _CLIENTS_PER_ROUND.value > num_clients:
    raise cli.UsageError(
        f'--clients_per_round must be in [1, {num_clients}], the number of'
        f' clients, got {_CLIENTS_PER_ROUND.value}'
    )


def _check_all_are_flags(argv):
  if len(argv) > 1:
    raise cli.UsageError(f'all arguments are flags, got {argv[1]!r}')


def read_settings(arguments):
  """Returns what a command line of this program sets, without training.

  Args:
    arguments: Flags, a sequence of strings.

  Returns:
    A dict by flag, as config.json has it; what follows from the task is None
    where it is not set.

  Raises:
    cli.UsageError: If the flags cannot be used together. A flag that is not
      there, or a value out of its range, ends the process by one line.
  """
  with flagsaver.flagsaver():
    _check_all_are_flags(cli.parse_flags(['train', *arguments]))
    values = _flag_values(_read_hyperparameters(), _read_partition_options())
  return json.loads(json.dumps(values))


def main(argv):
  _check_all_are_flags(argv)
  hyperparameters = _read_hyperparameters()
  partition_options = _read_partition_options()
  _check_positive(
      {
          'learning_rate': _LEARNING_RATE.value,
          'server_learning_rate': _SERVER_LEARNING_RATE.value,
          'dirichlet_beta': partition_options.get('dirichlet_beta', 0.3),
      }
  )
  runtime = runtime_flags.read()
  if _NUM_CLIENTS.value is not None:
    _check_clients_per_round(_NUM_CLIENTS.value)

  # Imported after the checks, which answer at once.
  with cli.quiet_imports():
    # pylint: disable=g-import-not-at-top
    import tasks
    from tff_binary import learning
    from tff_binary.programs import training
    import tensorflow_federated as tff
    # pylint: enable=g-import-not-at-top

  method = hyperparameters.method()
  if not method.takes_server_optimizer:
    for flag in (_SERVER_LEARNING_RATE, _SERVER_OPTIMIZER):
      if flag.value != flag.default:
        raise cli.UsageError(
            f'--{flag.name}={flag.value} is not for'
            f' --algorithm={_ALGORITHM.value}, whose server takes steps of its'
            ' own'
        )
  process_options = dict(
      downlink_bits=_DOWNLINK_BITS.value,
      downlink_step_scale=_DOWNLINK_STEP_SCALE.value,
      downlink_coding=_DOWNLINK_CODING.value,
      downlink_difference_bits=_DOWNLINK_DIFFERENCE_BITS.value,
      other_bits=_OTHER_BITS.value,
      local_bits=_LOCAL_BITS.value,
      observe_updates=_OBSERVE_UPDATES.value,
  )
  with cli.errors_named_by_flags():
    method.check_choices(
        **process_options, keep_optimizer_state=_KEEP_OPTIMIZER_STATE.value
    )
    task = tasks.load(
        _TASK.value,
        data_dir=_DATA_DIR.value,
        cache_dir=_CACHE_DIR.value,
        train_examples=_TRAIN_EXAMPLES.value,
        kernel_initializer=_KERNEL_INITIALIZER.value,
        seed=_SEED.value,
        **{
            flag.name: flag.value
            for flag in _TASK_OPTIONS
            if flag.value is not None
        },
    )
    is_natural = task.natural_clients is not None
    partition_name = _PARTITION.value or ('natural' if is_natural else 'iid')
    num_clients = _NUM_CLIENTS.value
    if num_clients is None and partition_name != 'natural':
      num_clients = _DEFAULT_NUM_CLIENTS
    partition = tasks.partition.split(
        partition_name,
        task.train_labels,
        num_clients,
        natural_clients=task.natural_clients,
        seed=_PARTITION_SEED.value,
        **partition_options,
    )
  num_clients = len(partition)
  _check_clients_per_round(num_clients)
  described = task.train_labels, partition, task.num_classes
  if _PRINT_PARTITION.value:
    names = task.natural_clients if partition_name == 'natural' else None
    print(tasks.partition.describe(*described, names=names))
  if _PLOT_PARTITION.value is not None:
    with cli.errors_named_by_flags():
      tasks.partition.plot(*described, _PLOT_PARTITION.value)
  if _PRINT_PARTITION.value or _PLOT_PARTITION.value is not None:
    return

  output_dir = _OUTPUT_DIR.value or os.path.join(
      'runs',
      f'{_TASK.value}_{partition_name}_{num_clients}_{_ALGORITHM.value}'
      f'_seed{_SEED.value}',
  )

  def optimizer(name, learning_rate):
    build, options = _OPTIMIZERS[name]
    return getattr(tff.learning.optimizers, build)(learning_rate, **options)

  server_optimizer = None
  if method.takes_server_optimizer:
    server_optimizer = optimizer(
        _SERVER_OPTIMIZER.value, _SERVER_LEARNING_RATE.value
    )
  result = training.train(
      task.build_model,
      [(task.train_features[p], task.train_labels[p]) for p in partition],
      test=(task.test_features, task.test_labels),
      loss_fn=task.loss_fn,
      metrics_fn=task.metrics_fn,
      algorithm=_ALGORITHM.value,
      hyperparameters=hyperparameters,
      local_training=learning.LocalTraining(
          local_epochs=_LOCAL_EPOCHS.value,
          batch_size=_BATCH_SIZE.value,
          optimizer=optimizer(_CLIENT_OPTIMIZER.value, _LEARNING_RATE.value),
          proximal_strength=_PROXIMAL_STRENGTH.value,
          keep_optimizer_state=_KEEP_OPTIMIZER_STATE.value,
          preprocess_fn=task.preprocess_train,
          augment_fn=task.augment_train,
      ),
      compute_dtype=_COMPUTE_DTYPE.value,
      rounds=_ROUNDS.value,
      clients_per_round=_CLIENTS_PER_ROUND.value,
      evaluate_every=_EVALUATE_EVERY.value,
      keep_models_every=_KEEP_MODELS_EVERY.value,
      preprocess_test_fn=task.preprocess_test,
      seed=_SEED.value,
      output_dir=output_dir,
      flags={
          **_flag_values(hyperparameters, partition_options),
          'partition': partition_name,
          'num_clients': num_clients,
      },
      may_change=MAY_CHANGE,
      runtime=runtime,
      server_optimizer=server_optimizer,
      **process_options,
  )
  summary = result.summary
  print(
      f'{algorithms.get(_ALGORITHM.value).title} on {_TASK.value}:'
      f' {summary["rounds"]} rounds, test accuracy'
      f' {summary["last_test_accuracy"]:.4f} (best'
      f' {summary["best_test_accuracy"]:.4f}, mean of the last 5'
      f' {summary["mean_of_last_5_test_accuracy"]:.4f}),'
      f' {summary["uplink_bits_per_param"]:.4f} bits per parameter up,'
      f' {summary["downlink_bits_per_param"]:.4f} down'
      f' ({summary["uplink_bits_per_param_total"]:.4f} and'
      f' {summary["downlink_bits_per_param_total"]:.4f} with everything sent);'
      f' files in {output_dir}'
  )


def _flag_values(hyperparameters, partition_options):
  """Returns the values of this program's flags, without those unused."""
  module = flags.FLAGS.find_module_defining_flag(_TASK.name)
  unused = {*_HYPERPARAMETERS, _DIRICHLET_BETA.name, _LABELS_PER_CLIENT.name}
  values = {
      flag.name: flag.value
      for flag in flags.FLAGS.get_flags_for_module(module)
      if flag.name not in unused
  }
  return {
      **values,
      **{name: flags.FLAGS[name].value for name in runtime_flags.NAMES},
      **partition_options,
      **dataclasses.asdict(hyperparameters),
  }


if __name__ == '__main__':
  cli.run(main)
