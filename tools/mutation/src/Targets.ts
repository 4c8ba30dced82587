/** What is mutated, and the tests that have to notice it. Paths are from the root. */
export interface Target {
  /** A glob. */
  readonly sources: ReadonlyArray<string>
  /** The tests that run first for a source file. All of `tests` run if they notice nothing. */
  readonly nearTests: (source: string) => ReadonlyArray<string>
  readonly tests: ReadonlyArray<string>
}

const inPackage = (name: string): Target => ({
  sources: [`packages/${name}/src/**/*.ts`],
  nearTests: (source) => [testsBeside(source)],
  tests: [`packages/${name}/test/`]
})

/** The tests of the same room. */
const testsBeside = (source: string): string => {
  const [, project = "", room = ""] = /^(.*)\/src\/(?:(.*)\/)?[^/]+$/.exec(source) ?? []
  return `${project}/test/${room === "" ? "" : `${room}/`}`
}

/** By the name that `--only` takes. */
export const targets: Readonly<Record<string, Target>> = {
  "oauth-flows": inPackage("oauth-flows"),
  "token-cache": { ...inPackage("token-cache"), nearTests: () => ["packages/token-cache/test/"] },
  "transport-injection": inPackage("transport-injection"),
  access: {
    sources: ["apps/gateway/src/http/Access*.ts", "apps/gateway/src/http/CrossOrigin.ts"],
    nearTests: () => ["apps/gateway/test/http/Access.test.ts", "apps/gateway/test/http/CrossOrigin.test.ts"],
    tests: ["apps/gateway/test/http/"]
  }
}
