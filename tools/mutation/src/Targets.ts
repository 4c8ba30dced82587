/** What is mutated, and the tests that have to notice it. */
export interface Target {
  /** Globs, from the root. */
  readonly sources: ReadonlyArray<string>
  /** Globs of what is not mutated: what the tests of others are made of. */
  readonly except?: ReadonlyArray<string>
  /** Folders, from the root. */
  readonly tests: ReadonlyArray<string>
  /** `FILE: NAME` of tests that take too long to be run for every mutant, or whose programs run without mutants. */
  readonly omitted?: RegExp
}

const inPackage = (name: string): Target => ({
  sources: [`packages/${name}/src/**/*.ts`],
  tests: [`packages/${name}/test`]
})

/** By the name that `--only` takes. */
export const targets: Readonly<Record<string, Target>> = {
  "oauth-flows": { ...inPackage("oauth-flows"), omitted: /28 kB and one of 1 MB|a text of a megabyte/ },
  "token-cache": {
    ...inPackage("token-cache"),
    except: ["packages/token-cache/src/testing/*"],
    omitted: /any order of events|concurrent processes agree|one process at a time has a lease/
  },
  "transport-injection": inPackage("transport-injection"),
  access: {
    sources: [
      "packages/gateway-server/src/http/Access*.ts",
      "packages/gateway-server/src/http/CrossOrigin.ts",
      "packages/gateway-server/src/login/*.ts",
      "packages/gateway-server/src/sessions/*.ts"
    ],
    tests: [
      "apps/gateway/test/http",
      "apps/gateway/test/login",
      "apps/gateway/test/sessions",
      "packages/gateway-server/test/http",
      "packages/gateway-server/test/login",
      "packages/gateway-server/test/sessions"
    ],
    omitted: /\/login\/(?:Commands|RealBrowser)\.test/
  }
}
