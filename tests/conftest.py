# Copyright 2026 The tff_binary Authors.
#
# Licensed under the Apache License, Version 2.0 (the "License");
# you may not use this file except in compliance with the License.
# You may obtain a copy of the License at
#
#     http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS,
# WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
# See the License for the specific language governing permissions and
# limitations under the License.
"""One TFF worker for all tests, gone when they end."""

import sys

from absl import flags
import pytest

# absltest asks flags for its temporary folder; pytest parses none.
flags.FLAGS.mark_as_parsed()


@pytest.fixture(scope='session', autouse=True)
def _worker():
  # The test modules are imported by now. Those that need no TFF start quickly.
  if 'tensorflow_federated' not in sys.modules:
    yield
    return
  from tff_binary.runtime import local  # pylint: disable=g-import-not-at-top

  with local.local_worker():
    yield
