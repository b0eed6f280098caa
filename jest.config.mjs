import { availableParallelism } from 'node:os';

/** Tests run from source: workspace packages resolve through the `spillway-source` export condition; only `schema` and `bullmq` are built. */
export default {
  testMatch: ['<rootDir>/{packages,apps}/*/test/**/*.test.{ts,tsx}', '<rootDir>/scripts/**/*.test.ts'],
  transform: {
    '^.+\\.m?[tj]sx?$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript', tsx: false } },
        module: { type: 'commonjs' },
      },
    ],
  },
  // ESM-only dependencies must be compiled too; jest names the next one in its error message.
  transformIgnorePatterns: [
    '/node_modules/(?!(@flystorage|file-type|strtok3|token-types|uint8array-extras|@tokenizer|@borewit)/)',
  ],
  // The built files that a test imports: from source they would be hundreds, in every suite anew.
  moduleNameMapper: { '^@spillway/(schema|bullmq)$': '<rootDir>/packages/$1/dist/bundle.js' },
  testEnvironmentOptions: { customExportConditions: ['spillway-source', 'node', 'node-addons'] },
  modulePathIgnorePatterns: ['/dist/', '<rootDir>/.spillway/'],
  // Patience, not a measure: a hook may start four processes on a machine that has much else to do.
  testTimeout: 90_000,
  // Most tests wait for processes that they have started: with as many workers as cores, a third of the cores' time was left.
  maxWorkers: Math.ceil(availableParallelism() * 1.5),
};
