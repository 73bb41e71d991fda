# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""The metadata of the `tff_binary` package.

The wheel holds `tff_binary` alone: `tasks`, `launchers` and `tests` run from a
checkout. `requirements.txt` is the complete, pinned environment of a checkout.
"""

import pathlib
import re

import setuptools

_ROOT = pathlib.Path(__file__).resolve().parent


def _read(path):
  return (_ROOT / path).read_text(encoding='utf-8')


def _version():
  # Read rather than imported: the build must not need what the package needs.
  source = _read('tff_binary/__init__.py')
  return re.search(r"^__version__ = '(.+)'$", source, re.MULTILINE).group(1)


# A worker needs no more than NumPy besides its own TensorFlow.
_BASE = ['numpy']

_EXTRAS = {
    # Everything that the federated algorithms and the round loop import.
    'tff': [
        'absl-py',  # Logging; the flags of the launchers.
        'dm-tree',  # Nested structures, TFF's own package for them.
        'grpcio',  # The channel to the worker process.
        'portpicker',  # A free port for the worker process.
        'scikit-learn',  # The digits that it carries: the default task.
        'scipy',  # Reads the MATLAB files of SVHN.
        'setuptools<80',  # TensorBoard 2.14 imports pkg_resources.
        'tensorflow==2.14.*',  # The one that TFF 0.87 is compiled for.
        # Its pin of jax no longer resolves: see overrides.txt.
        'tensorflow-federated==0.87.0',
        'tensorflow-model-optimization',  # Its Keras quantization API.
        'tqdm',  # The progress bar.
    ],
    # An executor on a recent TensorFlow, in an environment without TFF.
    'worker': [
        'grpcio',  # Serves TFF's executor protocol.
        'protobuf>=4.22',  # The messages of that protocol.
        'tensorflow>=2.20',  # Runs the clients' graphs.
    ],
    'test': [
        'absl-py',  # absltest and parameterized.
        'psutil',  # Finds the worker that a test has started.
        'pytest',  # The test runner.
        'pytest-xdist',  # Two test files at a time.
    ],
    'report': [
        'matplotlib',  # The curves.
    ],
}

setuptools.setup(
    name='tff_binary',
    version=_version(),
    description=(
        'Binary and low-bit federated learning on TensorFlow Federated.'
    ),
    long_description=_read('README.md'),
    long_description_content_type='text/markdown',
    author='The tff_binary Authors',
    license='Apache-2.0',
    license_files=['LICENSE'],
    # No upper bound: a worker may run a Python that TFF does not support.
    python_requires='>=3.9',
    packages=setuptools.find_packages(include=['tff_binary', 'tff_binary.*']),
    package_data={
        'tff_binary.programs': ['*.html'],
        'tff_binary.wire': ['*.md'],
        'tff_binary.runtime.worker': ['*.binpb'],
    },
    install_requires=_BASE,
    extras_require=_EXTRAS,
    classifiers=[
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3.9',
        'Programming Language :: Python :: 3.10',
        'Programming Language :: Python :: 3.11',
        'Topic :: Scientific/Engineering :: Artificial Intelligence',
    ],
)
