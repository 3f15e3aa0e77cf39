// The direction of imports, from docs/ARCHITECTURE.md. One object says who may know whom; the rules are generated.
// A layer is a path; `may` lists what it may import besides itself. Paths are regular expressions from the root.
const errors = '^src/errors/';
const ports = '^src/host/ports[.]ts$';
const host = '^src/host/';
const term = '^src/term/';
const distributionPort = '^src/process/distribution-port[.]ts$';
const process = '^src/process/';
const otp = '^src/otp/';
const registryProtocol = '^src/registry/protocol/';
const registry = '^src/registry/';
const distribution = '^src/distribution/';
const storagePort = '^src/storage/port[.]ts$';
/** The port and the neutral layer above it, which all users of a store share. */
const storageLayer = '^src/storage/(?!memory)[^/]+[.]ts$';
const storageShared = '^src/storage/[^/]+[.]ts$';
const doors = [
  '^src/index[.]ts$',
  '^src/storage/(sqlite|postgres|etcd)/index[.]ts$',
  '^src/storage/conformance/index[.]ts$',
];

/** Ordered from the bottom. `but` carves out the parts of a path that are a layer of their own. */
const layers = {
  errors: { path: errors, may: [] },
  'host-ports': { path: ports, may: [errors] },
  host: { path: host, but: [ports], may: [errors, ports] },
  term: { path: term, may: [errors, ports] },
  'distribution-port': { path: distributionPort, may: [errors, ports, term] },
  process: { path: process, but: [distributionPort], may: [errors, ports, term, distributionPort] },
  otp: { path: otp, may: [errors, ports, term, process] },
  'registry-protocol': { path: registryProtocol, may: [errors, term] },
  registry: {
    path: registry,
    but: [registryProtocol],
    may: [errors, ports, term, process, otp, registryProtocol, storageLayer],
  },
  'distribution-protocol': {
    path: '^src/distribution/protocol/',
    may: [errors, ports, term, distributionPort],
  },
  distribution: {
    path: distribution,
    may: [errors, host, term, distributionPort],
  },
  'storage-shared': { path: storageShared, may: [errors, ports, term] },
  'storage-backend': {
    path: '^src/storage/([^/]+)/',
    may: [errors, host, term, storageShared, '^src/storage/$1/'],
  },
  root: { path: '^src/[^/]+[.]ts$', but: doors, may: ['^src/(?!sim/|explore/|invariants/|cli/)'] },
  door: { path: '^src/index[.]ts$', may: ['^src/(?!sim/|explore/|invariants/|cli/)'] },
  cli: { path: '^src/cli/', may: doors },
  invariants: { path: '^src/invariants/', may: [errors, term, registryProtocol] },
  sim: { path: '^src/sim/', may: ['^src/(?!explore/|cli/)'] },
  explore: {
    path: '^src/explore/',
    may: [errors, term, registryProtocol, '^src/invariants/', '^src/sim/defects'],
  },
  demo: { path: '^demo/', may: doors },
  examples: { path: '^examples/', may: doors },
  bench: { path: '^bench/', may: ['^src/', '^test/support/'] },
  scripts: { path: '^scripts/', may: ['^src/'] },
  test: { path: '^test/', may: ['^(src|bench|demo|examples|scripts)/'] },
};

/** A backend's own folder is `$1`, the group of its path; every other layer's own path is a constant. */
const ownPath = (layer) => (layer.path.includes('([^/]+)') ? [] : [layer.path]);

const directions = Object.entries(layers).map(([name, layer]) => ({
  name: `layer-${name}`,
  comment: `${name} may know itself and: ${layer.may.join(' ') || 'nothing'}`,
  severity: 'error',
  from: { path: layer.path, ...(layer.but && { pathNot: layer.but }) },
  to: { path: '^(src|test|bench|demo|examples|scripts)/', pathNot: [...ownPath(layer), ...layer.may] },
}));

/** These also stay free of Node's own modules; tsconfig.pure.json says the same to the compiler. */
const pure = [
  errors,
  ports,
  term,
  process,
  otp,
  registryProtocol,
  '^src/distribution/protocol/',
  storagePort,
  '^src/storage/memory[.]ts$',
];

module.exports = {
  forbidden: [
    ...directions,
    {
      name: 'no-cycle',
      comment: 'Of code. Types of one folder may name each other; between folders the layers forbid it.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'no-orphan',
      severity: 'error',
      from: { orphan: true, pathNot: ['^src/universal[.]d[.]ts$', '[.]config[.]ts$'] },
      to: {},
    },
    {
      name: 'pure-stays-pure',
      comment: 'A pure folder knows neither Node nor a package.',
      severity: 'error',
      from: { path: pure },
      to: { pathNot: '^src/' },
    },
    {
      name: 'no-undeclared-dependency',
      comment: 'What ships may use Node, and the optional peers.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'unknown', 'undetermined'],
        pathNot: 'better-sqlite3|node_modules/(@types/)?pg/|node_modules/@grpc/',
      },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.js', '.d.ts', '.json'],
      conditionNames: ['import', 'types', 'node'],
    },
  },
};
