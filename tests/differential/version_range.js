// Holds the policy's reading of version ranges against npm's `semver`, which nobody here wrote.
//   node version_range.js VERSION_RANGE_PAIRS [SEED]
// What follows npm's grammar is read alike by both; what does not may be refused by the policy alone, never
// by npm alone. Exit status 1 where that fails for one pair, 77 where there is no `semver` (Debian's node-semver).
'use strict';
const { spawnSync } = require('child_process');

const AGREED_PAIRS = 100000;
const GENERATED_PAIRS = 120000;

function load() {
  try {
    return require('semver');
  } catch {
    const required = (process.env.TIDEWAITER_REQUIRE || '').split(',').includes('node-semver');
    console.error('version_range: no semver for node: apt-get install node-semver');
    process.exit(required ? 1 : 77);
  }
}

function verdict(semver, range, version) {
  try {
    return new semver.Range(range).test(version) ? 'match' : 'no';
  } catch {
    return 'invalid';
  }
}

const semver = load();
const [program, seed = '1'] = process.argv.slice(2);
const pairs = spawnSync(program, [String(GENERATED_PAIRS), seed], { maxBuffer: 1 << 28, encoding: 'utf8' });
if (pairs.status !== 0) {
  console.error(`version_range: ${program}: ${pairs.error || pairs.stderr}`);
  process.exit(1);
}
const count = { match: 0, no: 0, invalid: 0, refused: 0, differing: 0 };
for (const line of pairs.stdout.trimEnd().split('\n')) {
  const { range, version, damaged, verdict: ours } = JSON.parse(line);
  const theirs = verdict(semver, range, version);
  if (ours === theirs) {
    count[ours] += 1;
  } else if (damaged && ours === 'invalid') {
    // What npm's grammar does not have but its regular expressions let through ("~>=1", "=1 - 2",
    // "1.*2", "1.x.3"), differently from release to release. A policy says what it means.
    count.refused += 1;
  } else {
    count.differing += 1;
    if (count.differing <= 20) {
      console.log(`${JSON.stringify(range)} and ${version}: ours ${ours}, theirs ${theirs}`);
    }
  }
}
console.log(JSON.stringify({ semver: require('semver/package.json').version, seed, ...count }));
const agreed = count.match + count.no + count.invalid;
// Each verdict must have been compared often enough to mean something.
const enough = agreed >= AGREED_PAIRS && Math.min(count.match, count.no, count.invalid) > AGREED_PAIRS / 50;
process.exit(count.differing === 0 && enough ? 0 : 1);
