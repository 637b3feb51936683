// Bundles GraphiQL into one directory that needs nothing from any other host:
// index.html beside assets/ whose names carry a hash of their content, so that they
// may be cached for good, and that lie there gzipped, as they will be served.
// Usage: node build.mjs [OUT_DIR]
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const here = import.meta.dirname;
const out = resolve(process.argv[2] ?? join(here, 'dist'));
const publicPath = '/graphiql/assets';
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });

const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  legalComments: 'linked',
  metafile: true,
  target: 'es2022',
  outdir: join(out, 'assets'),
  entryNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  publicPath,
  define: { 'process.env.NODE_ENV': '"production"' },
  loader: { '.ttf': 'file', '.woff': 'file', '.woff2': 'file' },
  logLevel: 'warning',
};

/** Where each entry point ended up: its own name -> the address it is served at. */
function addresses({ metafile }, extension) {
  const found = Object.entries(metafile.outputs).filter(
    ([file, { entryPoint }]) => entryPoint && file.endsWith(extension),
  );
  return Object.fromEntries(
    found.map(([file, { entryPoint, cssBundle }]) => [
      basename(entryPoint, '.js'),
      { js: `${publicPath}/${basename(file)}`, css: cssBundle && `${publicPath}/${basename(cssBundle)}` },
    ]),
  );
}

// Monaco's workers are classic scripts of their own; the page learns their addresses as constants.
const workers = addresses(
  await build({
    ...shared,
    format: 'iife',
    entryPoints: [
      'monaco-editor/esm/vs/editor/editor.worker.js',
      'monaco-editor/esm/vs/language/json/json.worker.js',
      'monaco-graphql/esm/graphql.worker.js',
    ],
  }),
  '.js',
);
const page = addresses(
  await build({
    ...shared,
    format: 'esm',
    entryPoints: ['graphiql/main.js'],
    define: {
      ...shared.define,
      EDITOR_WORKER: JSON.stringify(workers['editor.worker'].js),
      JSON_WORKER: JSON.stringify(workers['json.worker'].js),
      GRAPHQL_WORKER: JSON.stringify(workers['graphql.worker'].js),
    },
  }),
  '.js',
).main;

for (const name of await readdir(shared.outdir)) {
  const file = join(shared.outdir, name);
  await writeFile(`${file}.gz`, gzipSync(await readFile(file), { level: 9 }));
  await rm(file);
}

const html = await readFile(join(here, 'graphiql/index.html'), 'utf8');
await writeFile(
  join(out, 'index.html'),
  html.replace('{{style}}', page.css).replace('{{script}}', page.js),
);
console.log(`GraphiQL is in ${relative(process.cwd(), out) || '.'}`);
