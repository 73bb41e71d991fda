# SPDX-FileCopyrightText: 2026 The tff_binary Authors
# SPDX-License-Identifier: Apache-2.0
"""Tests of the page about runs, also as a browser shows it."""

import html.parser
import json
import math
import pathlib
import re
import tempfile
import unittest

from absl.testing import absltest
from absl.testing import parameterized
from matplotlib import image
import numpy as np

from tests import browser
from tff_binary import files
from tff_binary.programs import metrics
from tff_binary.programs import report
from tff_binary.programs import run_folder
from tff_binary.programs import svg_charts

_EMPTY = {'meta', 'wbr'}  # Elements without an end.


def _write_run(path, accuracies, settings=None, uplink=1000, **columns):
  """Writes a run; returns its folder."""
  path.mkdir(parents=True)
  history = metrics.History()
  for i, accuracy in enumerate(accuracies, start=1):
    history.append({
        'round_num': i,
        'train_loss': 1.0 / i,
        'train_accuracy': accuracy,
        'test_loss': 1.0 / i,
        'test_accuracy': accuracy,
        'uplink_bytes': uplink,
        'downlink_bytes': 2000,
        'uplink_bits_per_param': uplink / 100,
        'downlink_bits_per_param': 32.0,
        'uplink_bits_per_param_total': uplink / 50,
        'downlink_bits_per_param_total': 33.0,
        'round_seconds': 0.25 * i,
        'eval_seconds': 0.125,
        'num_clients': 10,
        **{name: values[i - 1] for name, values in columns.items()},
    })
  history.write(path)
  if settings is not None:
    (path / 'config.json').write_text(json.dumps(settings))
  return path


def _flags(algorithm, seed, **others):
  return {
      'flags': {
          'algorithm': algorithm,
          'seed': seed,
          'rounds': 3,
          'output_dir': f'{algorithm}/{seed}',
          'learning_rate': 0.1,
          **others,
      }
  }


class _Page(html.parser.HTMLParser):
  """A page, taken apart.

  Attributes:
    tables: For each caption's first sentence, a list of rows of (text, value).
    attributes: A list of (element, attribute, value).
    marked: What is highlighted.
    ends: For each picture, what its description says.
  """

  def __init__(self, text):
    super().__init__()
    self.tables = {}
    self.attributes = []
    self.marked = []
    self.ends = []
    self._open = []
    self._text = ''
    self._rows = []
    self.feed(text)
    self.close()
    assert not self._open, self._open

  def handle_starttag(self, tag, attrs):
    self.attributes += [(tag, name, value) for name, value in attrs]
    if tag in _EMPTY:
      return
    self._open.append(tag)
    if tag in ('td', 'th', 'caption', 'mark', 'desc'):
      self._text = ''
    if tag == 'table':
      self._rows = []
    if tag == 'tr':
      self._rows.append([])
    if tag == 'td':
      self._value = dict(attrs).get('data-value')

  def handle_endtag(self, tag):
    opened = self._open.pop()
    assert opened == tag, (opened, tag, self.getpos())
    if tag == 'th':
      self._rows[-1].append((self._text, None))
    if tag == 'td':
      self._rows[-1].append((self._text, self._value))
    if tag == 'mark':
      self.marked.append(self._text)
    if tag == 'desc':
      self.ends.append(self._text)
    if tag == 'caption':
      self.tables[self._text.split('.')[0]] = self._rows

  def handle_data(self, data):
    self._text += data

  def column(self, caption, name):
    """Returns the texts of a column below its header."""
    header, *rows = self.table(caption)
    index = [text for text, _ in header].index(name)
    return [row[index][0] for row in rows]

  def table(self, caption):
    return next(
        rows for text, rows in self.tables.items() if text.startswith(caption)
    )


class ReportTest(parameterized.TestCase):

  def setUp(self):
    super().setUp()
    self.path = pathlib.Path(self.enter_context(tempfile.TemporaryDirectory()))
    self.output = self.path / 'report.html'

  def _report(self, *folders, **kwargs):
    report.write_report(
        folders, self.output, may_differ=('output_dir',), **kwargs
    )
    return _Page(self.output.read_text(encoding='utf-8'))

  def _write_sweep(self):
    """Writes two configurations, one of them with two seeds."""
    sweep = self.path / 'sweep'
    _write_run(sweep / 'avg_seed1', [0.1, 0.5, 0.6], _flags('fedavg', 1), 3200)
    _write_run(
        sweep / 'bat_seed1', [0.1, 0.7, 0.8], _flags('fedbat', 1, rho=6.0), 100
    )
    _write_run(
        sweep / 'bat_seed2', [0.1, 0.5, 0.6], _flags('fedbat', 2, rho=6.0), 100
    )
    return sweep

  def test_numbers_are_those_of_the_runs(self):
    page = self._report(self._write_sweep())
    for caption, expected in (
        ('Test accuracy', {
            'configuration': ['avg', 'bat'],
            'seeds': ['1', '2'],
            'rounds': ['3', '3'],
            'mean of last 5': ['40.00', '46.67 (9.43)'],
            'best': ['60.00', '70.00 (14.14)'],
            'last': ['60.00', '70.00 (14.14)'],
            'bits up': ['32.0000', '1.0000'],
            'bits down': ['32.0000', '32.0000'],
            'bytes': ['15,600', '6,300'],
            's/round': ['0.50', '0.50'],
        }),
        ('Bits per parameter', {
            'kernels up': ['32.0000', '1.0000'],
            'all up': ['64.0000', '2.0000'],
            'all down': ['33.0000', '33.0000'],
            'kernels up, last': ['32.0000', '1.0000'],
            'bytes up': ['9,600', '300'],
            'bytes down': ['6,000', '6,000'],
        }),
        ('All runs', {
            'run': ['avg_seed1', 'bat_seed1', 'bat_seed2'],
            'configuration': ['avg', 'bat', 'bat'],
            'seed': ['1', '1', '2'],
            'rounds': ['3', '3', '3'],
            'best': ['60.00', '80.00', '60.00'],
            'folder': [
                f'{self.path}/sweep/{name}'
                for name in ('avg_seed1', 'bat_seed1', 'bat_seed2')
            ],
        }),
    ):
      for name, texts in expected.items():
        self.assertEqual(page.column(caption, name), texts, name)
    # What is sorted by is not rounded.
    values = [row[1][1] for row in page.table('Test accuracy')[1:]]
    for value, expected in zip(values, (1.2 / 3, 1.4 / 3)):
      self.assertAlmostEqual(float(value), expected, places=12)

  def test_markdown_has_the_tables_of_the_page(self):
    sweep = self._write_sweep()
    (sweep / 'bat_seed1').rename(sweep / 'b|*t_seed1')
    page = self._report(sweep, target=0.6)
    path = self.path / 'report.md'
    report.write_report(
        [sweep], path, may_differ=('output_dir',), target=0.6
    )
    title, *tables = path.read_text(encoding='utf-8').split('\n\n')
    self.assertEqual(title, '# Test accuracy of 2 configurations')
    for i, caption in enumerate(('Test accuracy', 'Bits per parameter')):
      self.assertStartsWith(tables[2 * i], caption)
      names, rules, *rows = [
          [cell.strip() for cell in re.split(r'(?<!\\)\|', line)[1:-1]]
          for line in tables[2 * i + 1].strip().split('\n')
      ]
      self.assertEqual(rules, ['---'] + ['---:'] * (len(names) - 1))
      for name, *cells in zip(names, *rows):
        self.assertEqual(
            [re.sub(r'\\(.)', r'\1', cell) for cell in cells],
            page.column(caption, name),
        )
    self.assertIn(r'b\|\*t', tables[1])

  def test_curves_are_means_over_seeds(self):
    page = self._report(self._write_sweep())
    self.assertEqual(page.ends[:3], ['avg ends at 60; bat ends at 70.'] * 3)
    bands = re.findall('class="band colour(.)', self.output.read_text())
    self.assertEqual(set(bands), {'1'})

  def test_loads_nothing(self):
    page = self._report(self._write_sweep())
    self.assertNotRegex(
        self.output.read_text(), r'https?:|//\w|@import|url\([^#]'
    )
    self.assertNoCommonElements(
        {name for _, name, _ in page.attributes},
        {'src', 'href', 'srcset', 'style', 'onclick'},
    )

  def test_ids_are_unique_and_all_references_lead_to_one(self):
    page = self._report(self._write_sweep())
    ids = [value for _, name, value in page.attributes if name == 'id']
    self.assertLen(set(ids), len(ids))
    for _, name, value in page.attributes:
      if name == 'aria-labelledby':
        self.assertContainsSubset(value.split(), ids)
      elif name == 'clip-path':
        self.assertIn(value[len('url(#') : -1], ids)

  def test_settings_that_differ_are_marked(self):
    page = self._report(self._write_sweep())
    self.assertEqual(
        page.column('Different settings', 'setting'), ['algorithm']
    )
    self.assertEqual(page.marked, ['fedavg', 'fedbat'])
    self.assertEqual(
        page.table('Settings of some')[1:],
        [[('rho', None), ('–', None), ('6.0', None)]],
    )
    self.assertEqual(
        page.column('Equal settings', 'setting'), ['rounds', 'learning_rate']
    )

  def test_only_what_is_unusual_is_marked(self):
    folders = [
        _write_run(
            self.path / f'{rate}',
            [0.5],
            _flags('fedavg', 1, learning_rate=rate),
        )
        for rate in (0.1, 0.2)
    ]
    folders.append(_write_run(self.path / 'c', [0.5], _flags('fedbat', 1)))
    self.assertEqual(self._report(*folders).marked, ['fedbat', '0.2'])

  def test_arguments_stand_for_flags_and_versions_are_settings(self):
    def settings(seed, lr, revision):
      return {
          'flags': {},
          'arguments': {
              'seed': seed, 'initial_weights_sha256': f'{seed}', 'lr': lr
          },
          'options': {'downlink_bits': 8},
          'environment': {'versions': {}, 'git_revision': revision},
      }

    for i, lr in ((1, 0.1), (2, 0.1), (3, 0.2)):
      revision = 'aaa' if i < 3 else 'bbb'
      _write_run(
          self.path / 'runs' / f'r{i}', [0.5], settings(i, lr, revision)
      )
    page = self._report(self.path / 'runs')
    self.assertEqual(page.column('Test accuracy', 'seeds'), ['2', '1'])
    self.assertEqual(
        page.table('Different settings'),
        [
            [('setting', None), ('r1, r2', None), ('r3', None)],
            [('lr', None), ('0.1', None), ('0.2', None)],
            [('git_revision', None), ('aaa', None), ('bbb', None)],
        ],
    )
    self.assertEqual(
        page.table('Equal settings')[1:],
        [[('downlink_bits', None), ('8', None)]],
    )

  def test_repeated_seeds_and_unknown_settings_are_not_averaged(self):
    folders = [
        _write_run(self.path / 'a' / 'x_seed1', [0.5], _flags('fedavg', 1)),
        _write_run(self.path / 'b' / 'x_seed1', [0.5], _flags('fedavg', 1)),
        _write_run(self.path / 'c', [0.5]),
        _write_run(self.path / 'd', [0.5]),
    ]
    page = self._report(*folders)
    names = page.column('Test accuracy', 'configuration')
    self.assertLen(set(names), 4)
    self.assertEqual(page.column('Test accuracy', 'seeds'), ['1'] * 4)
    self.assertEqual(page.column('All runs', 'seed'), ['1', '1', '–', '–'])

  def test_runs_that_are_not_finished_are_marked_and_compared_so_far(self):
    long = _write_run(self.path / 'a', [0.1, 0.5, 0.6], _flags('fedavg', 1))
    short = _write_run(self.path / 'b', [0.1, 0.3], _flags('fedavg', 2))
    page = self._report(long, short)
    self.assertEqual(page.column('Test accuracy', 'rounds'), ['2–3'])
    self.assertEqual(page.column('All runs', 'rounds'), ['3', '2 of 3'])
    self.assertEqual(page.ends[0], 'a, b ends at 40.')

  def test_draws_further_metrics_where_they_are(self):
    a = _write_run(self.path / 'a', [0.1, 0.5], mse=[0.5, 0.25], levels=[4, 4])
    b = _write_run(self.path / 'b', [0.1, 0.5], clients=[0, 0])
    self._report(a, b)
    text = self.output.read_text()
    titles = re.findall(r'<title id="\S*">(.*?)</title>', text)
    self.assertEqual(
        titles[3:],
        [
            'train loss against round',
            'train accuracy [%] against round',
            'test loss against round',
            'mse against round',
        ],
    )
    self.assertLess(text.index('Metrics of some'), text.index('mse against'))
    self.assertGreater(text.index('Metrics of some'), text.index('train loss'))

  def test_diverged_runs_are_shown(self):
    nan, inf = math.nan, math.inf
    folders = [
        _write_run(self.path / f'{i}', [0.1, 0.1], _flags('fedavg', i),
                   test_loss=losses, mse=[nan, nan])
        for i, losses in ((1, [2.0, nan]), (2, [inf, 1.0]))
    ]
    page = self._report(*folders)
    self.assertEqual(page.column('Test accuracy', 'last'), ['10.00 (0.00)'])

  def test_escapes_what_comes_from_files(self):
    name = '<script>"&\''
    settings = {'flags': {name: name, 'algorithm': name, 'seed': name}}
    _write_run(self.path / name / f'{name}_1', [0.5, 0.6], settings)
    settings['flags']['algorithm'] = 'other'
    _write_run(
        self.path / name / f'{name}_2', [0.5, 0.6], settings,
        **{f'train_{name}': [1.0, 2.0]},
    )
    page = self._report(self.path / name)
    text = self.output.read_text()
    self.assertEqual(text.count('<script>'), 1)
    self.assertIn(name, page.column('Different settings', f'{name}_1'))
    self.assertEqual(
        page.column('Test accuracy', 'configuration'),
        [f'{name}_1', f'{name}_2'],
    )
    self.assertIn(f'train {html.escape(name)} against round', text)

  def test_escapes_the_name_of_the_metric(self):
    folder = self.path / 'a'
    row = dict.fromkeys(metrics.SUMMARIZED, 1.0)
    history = metrics.History(monitor='test_<b>', mode='max')
    folder.mkdir()
    history.append({'round_num': 1, 'test_<b>': 0.5, **row})
    history.write(folder)
    page = self._report(folder)
    self.assertNotIn('<b>', self.output.read_text())
    self.assertEqual(page.column('Test <b>', 'best'), ['0.5000'])

  def test_shows_the_megabytes_to_a_target(self):
    sweep = self._write_sweep()
    # Every round takes 5,200 bytes, or 2,100; in one run it is not reached.
    nan = math.nan
    for target, expected in ((0.5, [0.0104, 0.0042]), (0.7, [nan, nan])):
      page = self._report(sweep, target=target)
      header, *rows = page.table('Test accuracy')
      self.assertEqual(header[-1][0], f'MB to {100 * target:.2f}')
      np.testing.assert_allclose([float(row[-1][1]) for row in rows], expected)
    for target, message in (
        (88.0, r'target must be a number in \[0, 1\] for test_accuracy, got 88'),
        (math.nan, r'target must be a number in \[0, 1\] .* got nan'),
    ):
      with self.assertRaisesRegex(ValueError, message):
        self._report(sweep, target=target)

  def test_a_target_of_a_loss_is_reached_from_above(self):
    folder = self.path / 'loss'
    folder.mkdir()
    history = metrics.History(monitor='test_loss', mode='min')
    row = dict.fromkeys(metrics.SUMMARIZED, 1.0)
    row.update(uplink_bytes=1_000_000, downlink_bytes=1_000_000)
    for i, loss in enumerate((5.0, math.nan, 2.0, 3.0), start=1):
      history.append({'round_num': i, 'test_loss': loss, **row})
    history.write(folder)
    page = self._report(folder, target=4.0)
    self.assertEqual(page.column('Test loss', 'MB to 4.0000'), ['6.0'])
    with self.assertRaisesRegex(ValueError, 'target must be a finite number'):
      self._report(folder, target=math.inf)

  def test_takes_labels_of_configurations(self):
    sweep = self._write_sweep()
    page = self._report(sweep, labels=['FedAvg', 'FedBAT'])
    self.assertEqual(
        page.column('Test accuracy', 'configuration'), ['FedAvg', 'FedBAT']
    )
    for labels, message in (
        (['A'], r'labels must be one for .* 2 \(avg, bat\); got 1'),
        (['A', 'A'], 'labels must tell configurations apart, got A, A'),
    ):
      with self.assertRaisesRegex(ValueError, message):
        self._report(sweep, labels=labels)

  def test_names_folders_that_cannot_be_shown(self):
    good = _write_run(self.path / 'good', [0.5])
    other = self.path / 'other'
    other.mkdir()
    history = metrics.History()
    row = {'round_num': 1, 'uplink_bytes': 1, 'downlink_bytes': 1}
    history.append({**row, 'test_loss': 0.5})
    history.write(other)
    less = self.path / 'less'
    less.mkdir()
    history = metrics.History()
    history.append({**row, 'test_accuracy': 0.5})
    history.write(less)
    damaged = _write_run(self.path / 'damaged', [0.5])
    (damaged / 'config.json').write_text('{')
    (self.path / 'empty').mkdir()
    for folder, error, message in (
        (self.path / 'empty', run_folder.RunFolderError, 'holds no round'),
        (self.path / 'missing', run_folder.RunFolderError, 'holds no round'),
        (other, run_folder.RunFolderError, 'has test_loss'),
        (less, run_folder.RunFolderError, 'has no .* and no round_seconds'),
        (damaged, files.DamagedFileError, 'config.json is damaged'),
    ):
      with self.assertRaisesRegex(error, f'{folder}.*{message}'):
        self._report(good, folder)
      self.assertFalse(self.output.exists())


@unittest.skipUnless(browser.PROGRAM, 'there is no chromium')
class ReportInBrowserTest(parameterized.TestCase):

  @classmethod
  def setUpClass(cls):
    super().setUpClass()
    folder = cls.enter_context(tempfile.TemporaryDirectory())
    cls.page = pathlib.Path(folder) / 'report.html'
    runs = pathlib.Path(folder) / 'runs'
    # More than there are colours, with long names and settings.
    for i in range(9):
      for seed in (1, 2):
        _write_run(
            runs / f'niid2-100-regularized_fedpm{"x" * 40}{i}_seed{seed}',
            [0.1, 0.8, 0.9 - 0.01 * i, 0.9 - 0.01 * i * seed],
            _flags('fedavg', seed, cell=i, data='x' * 200),
            uplink=10**i,
            train_mask_density=[0.1, 0.2, 0.3, math.nan],
        )
    report.write_report([runs], cls.page, may_differ=('output_dir',))
    cls.browser = cls.enter_context(browser.Browser())

  def _open_everything(self, *args):
    self.browser.open(self.page, *args)
    self.browser.evaluate(
        "document.querySelectorAll('details').forEach(d => d.open = true)"
    )

  @parameterized.parameters(320, 390, 768, 1280)
  def test_fits_into_the_window(self, width):
    self._open_everything(width)
    self.assertLessEqual(
        self.browser.evaluate('document.documentElement.scrollWidth'), width
    )
    # What is wider than the window scrolls by itself, everything else fits.
    wide = self.browser.evaluate(
        """[...document.querySelectorAll('body *')]
        .filter(e => !e.closest('table'))
        .filter(e => e.getBoundingClientRect().right > innerWidth)
        .map(e => e.outerHTML.slice(0, 80))"""
    )
    self.assertEmpty(wide)
    # The names leave room for the numbers.
    share = self.browser.evaluate(
        """Math.max(...[...document.querySelectorAll('tbody th')]
        .map(e => e.getBoundingClientRect().width)) / innerWidth"""
    )
    self.assertLess(share, 0.5)

  @parameterized.parameters(390, 1280)
  def test_text_in_pictures_can_be_read(self, width):
    self._open_everything(width)
    # In pixels of the screen, of capital letters and below together.
    heights = self.browser.evaluate(
        """[...document.querySelectorAll('.charts text')]
        .map(e => e.getBoundingClientRect().height)"""
    )
    self.assertGreaterEqual(min(heights), 10)
    outside = self.browser.evaluate(
        """[...document.querySelectorAll('.charts text')].filter(e => {
          const text = e.getBoundingClientRect();
          const svg = e.ownerSVGElement.getBoundingClientRect();
          return text.left < svg.left || text.right > svg.right
              || text.top < svg.top || text.bottom > svg.bottom;
        }).map(e => e.textContent)"""
    )
    self.assertEmpty(outside)

  @parameterized.parameters(False, True)
  def test_contrast_is_high_enough(self, is_dark):
    self._open_everything(1280, is_dark)
    page = self._luminance('body', 'backgroundColor')[0]
    self.assertEqual(page < 0.1, is_dark)
    # The ratios of WCAG 2.1 level AA, for text and for graphics.
    for selector, style, least in (
        ('p, caption, th, td, li, summary', 'color', 4.5),
        ('.charts text', 'fill', 4.5),
        ('.line', 'stroke', 3.0),
        ('.end', 'fill', 3.0),
    ):
      colours = self._luminance(selector, style)
      self.assertNotEmpty(colours)
      for luminance in colours:
        ratio = (luminance + 0.05) / (page + 0.05)
        self.assertGreaterEqual(max(ratio, 1 / ratio), least, selector)
    (mark,) = set(self._luminance('mark', 'backgroundColor'))
    (text,) = set(self._luminance('mark', 'color'))
    ratio = (text + 0.05) / (mark + 0.05)
    self.assertGreaterEqual(max(ratio, 1 / ratio), 4.5)

  @parameterized.parameters((390, False), (390, True), (1280, True))
  def test_every_line_is_seen(self, width, is_dark):
    self.browser.open(self.page, width, is_dark)
    self.browser.evaluate(
        "document.querySelectorAll('.key').forEach(key => key.remove())"
    )
    png = self.page.with_suffix('.png')
    self.browser.screenshot(png)
    pixels = image.imread(png)[..., :3]
    colours = self._colours('.line', 'stroke')
    self.assertLen(colours, svg_charts.NUM_COLOURS)
    for colour in colours:
      is_near = np.abs(pixels - colour).max(axis=-1) < 0.02
      self.assertGreater(np.sum(is_near), 200, colour)

  def _colours(self, selector, style):
    """Returns the colours of elements, each once, as red, green, blue."""
    colours = self.browser.evaluate(
        f"""[...new Set([...document.querySelectorAll({selector!r})]
        .map(e => getComputedStyle(e).{style}))]"""
    )
    colours = [[int(c) / 255 for c in re.findall(r'\d+', c)] for c in colours]
    self.assertEqual({len(colour) for colour in colours}, {3})  # All opaque.
    return colours

  def _luminance(self, selector, style):
    """Returns the relative luminance of the colours of elements."""
    luminances = []
    for channels in self._colours(selector, style):
      linear = [
          c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
          for c in channels
      ]
      weights = (0.2126, 0.7152, 0.0722)
      luminances.append(sum(w * c for w, c in zip(weights, linear)))
    return luminances

  def test_header_sorts_the_table(self):
    self.browser.open(self.page, 1280)

    def click(name):
      self.browser.evaluate(
          f"""[...document.querySelectorAll('table button')]
          .find(e => e.textContent === {name!r}).click()"""
      )
      rows = self.browser.evaluate(
          """[...document.querySelector('table').tBodies[0].rows]
          .map(row => row.cells[0].textContent.slice(-1)).join('')"""
      )
      sorting = self.browser.evaluate(
          """[...document.querySelectorAll('[aria-sort]')]
          .map(e => e.textContent + ' ' + e.ariaSort)"""
      )
      self.assertLen(sorting, 1)
      return rows, sorting[0]

    for name, order, rows in (
        ('bits up', 'descending', '876543210'),
        ('bits up', 'ascending', '012345678'),
        ('last', 'descending', '012345678'),
        ('configuration', 'ascending', '012345678'),
        ('configuration', 'descending', '876543210'),
    ):
      self.assertEqual(click(name), (rows, f'{name} {order}'))


if __name__ == '__main__':
  absltest.main()
