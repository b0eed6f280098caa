import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const ROOT = path.resolve(__dirname, '../..');
const PAGES = [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md'],
  ...readdirSync(path.join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => path.join('docs', name)),
];
/** What npm does without a script of ours. */
const NPM_COMMANDS = new Set(['ci', 'exec', 'install']);

test.each(PAGES)('%s: every link leads to a file, and every anchor to a heading', (page) => {
  const broken = linksOf(read(page)).filter((link) => !leadsSomewhere(page, link));
  expect(broken).toEqual([]);
});

test.each(PAGES)('%s: every npm script that is named exists', (page) => {
  const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
  const commands = codeOf(read(page)).matchAll(/\bnpm (?:run )?(?:--?[\w-]+ )*([a-z][\w:-]*)/g);
  const named = [...commands].map(([, name = '']) => name);
  expect(named.filter((name) => !(name in scripts) && !NPM_COMMANDS.has(name))).toEqual([]);
});

function read(file: string): string {
  return readFileSync(path.join(ROOT, file), 'utf8');
}

/** Targets of links and pictures inside the repository. */
function linksOf(text: string): string[] {
  const targets = [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target));
}

function leadsSomewhere(page: string, link: string): boolean {
  const [target = '', anchor] = link.split('#');
  const file = target ? path.join(path.dirname(page), target) : page;
  if (!existsSync(path.join(ROOT, file))) return false;
  return anchor === undefined || anchorsOf(read(file)).includes(anchor);
}

/** Anchors as GitHub makes them out of headings. */
function anchorsOf(text: string): string[] {
  return [...withoutCode(text).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** What stands in blocks and between backticks: prose may say "npm" too. */
function codeOf(text: string): string {
  const blocks = text.match(/^```[\s\S]*?^```/gm) ?? [];
  const inline = withoutCode(text).match(/`[^`]+`/g) ?? [];
  return [...blocks, ...inline].join('\n');
}

/** Comments in shell examples look like headings, and indexing in others like links. */
function withoutCode(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '');
}
