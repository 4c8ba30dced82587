/**
 * The plan: which project may import which, and inside a project which folder of `src` may import which. Every import
 * counts, type imports included. `docs/architecture.md` shows the same to people.
 */

export interface ProjectPlan {
  /** Sibling projects that `src` may import, by folder name. */
  readonly imports: ReadonlyArray<string>
  /** True if what it needs is in its bundle, so that it has development dependencies only. */
  readonly bundled?: true
  /** Sibling projects that only `test` may import. */
  readonly testImports?: ReadonlyArray<string>
  /**
   * The folders of `src`, each with the folders that its files may import. The files on top, directly in `src`, are
   * `.`: a folder that may import them says so, and they may import every folder unless `.` stands here, too. The entry
   * points `index.ts`, `internal.ts` and `main.ts` may always import all.
   */
  readonly rooms: Readonly<Record<string, ReadonlyArray<string>>>
}

const publishedPackages: Readonly<Record<string, ProjectPlan>> = {
  "oauth-core": {
    imports: [],
    testImports: ["testing"],
    rooms: {
      providers: [],
      problems: [],
      config: ["problems", "providers"],
      errors: ["config"],
      events: ["errors"],
      proxy: ["config"],
      order: [],
      memory: [],
      testing: [".", "config", "proxy"]
    }
  },
  "oauth-flows": {
    imports: ["oauth-core"],
    testImports: ["testing", "authorization-server"],
    rooms: {
      client: [],
      mask: ["client"],
      endpoint: ["client", "mask"],
      discovery: ["endpoint"],
      resolution: ["client", "endpoint", "discovery"],
      token: ["client", "endpoint", "resolution"],
      grants: ["client", "endpoint", "discovery", "resolution", "token"],
      authorization: ["client", "mask", "endpoint", "discovery", "resolution", "token", "grants"]
    }
  },
  "token-cache": {
    imports: ["oauth-core"],
    testImports: ["testing"],
    rooms: {
      store: [],
      memory: ["store"],
      file: ["store"],
      acquisition: ["memory", "store"],
      testing: ["memory", "store"]
    }
  },
  "inbound-auth": {
    imports: ["oauth-core", "oauth-flows"],
    testImports: ["testing"],
    rooms: { jwt: [], keys: ["jwt"] }
  },
  "token-cache-redis": { imports: ["oauth-core", "token-cache"], testImports: ["testing"], rooms: {} },
  "token-cache-sql": {
    imports: ["oauth-core", "token-cache"],
    testImports: ["testing"],
    rooms: { database: [], store: ["database"], sqlite: ["database"], postgres: ["database"] }
  },
  "oauth-metrics": { imports: ["oauth-core"], rooms: {} },
  "transport-injection": { imports: ["oauth-core"], rooms: {} },
  mtls: {
    imports: ["oauth-core"],
    testImports: ["testing"],
    rooms: { certificates: [], connections: ["certificates"] }
  }
}

const everyPackage = Object.keys(publishedPackages)

/** By the project's folder. */
export const plan: Readonly<Record<string, ProjectPlan>> = {
  ...Object.fromEntries(
    Object.entries(publishedPackages).map(([name, project]) => [`packages/${name}`, project])
  ),
  "packages/testing": {
    imports: [],
    rooms: { canary: [], loopback: [], server: ["loopback"], programs: ["loopback"] }
  },
  "packages/oauth-client": {
    imports: ["oauth-core", "oauth-flows", "token-cache", "oauth-metrics", "transport-injection", "mtls"],
    testImports: ["testing"],
    rooms: { mcp: ["."] }
  },
  "packages/gateway-server": {
    imports: everyPackage,
    testImports: ["testing"],
    rooms: {
      config: [],
      display: [],
      jsonrpc: [],
      child: ["jsonrpc"],
      bridge: ["jsonrpc"],
      fetch: ["jsonrpc"],
      sse: ["fetch", "jsonrpc"],
      sessions: [],
      body: [],
      callers: ["config"],
      upstream: ["callers", "body", "bridge", "child", "sse", "fetch", "sessions", "jsonrpc", "config"],
      "relay/session": ["fetch", "jsonrpc"],
      relay: ["relay/session", "fetch", "jsonrpc"],
      listener: [],
      login: ["listener", "display", "jsonrpc", "config"],
      status: ["callers", "jsonrpc", "config"],
      http: ["listener", "callers", "upstream", "login", "status", "jsonrpc", "config"],
      "persons/pages": ["login", "status"],
      persons: ["persons/pages", "http", "login", "status", "callers", "upstream", "config"],
      tools: ["upstream", "relay/session", "jsonrpc", "config"],
      ".": ["http", "persons", "tools", "callers", "upstream", "sessions", "login", "status", "config"],
      workers: [".", "http", "listener", "callers", "upstream", "sessions", "status", "config"]
    }
  },
  "apps/gateway": {
    imports: [...everyPackage, "gateway-server"],
    bundled: true,
    testImports: ["testing", "authorization-server", "echo-server"],
    rooms: {
      "import/text": [],
      import: ["import/text"],
      doctor: [],
      "cli/process": [],
      cli: ["cli/process", "doctor", "import"]
    }
  },
  "apps/echo-server": { imports: [], testImports: ["testing"], rooms: {} },
  "apps/demo": {
    imports: [...everyPackage, "gateway-server", "echo-server", "authorization-server", "testing"],
    rooms: {}
  },
  "examples/quickstart": { imports: ["gateway"], rooms: {} },
  "examples/effect-agent": {
    imports: ["mtls", "oauth-core", "oauth-flows", "oauth-metrics", "token-cache", "transport-injection"],
    testImports: ["testing"],
    rooms: {}
  },
  "examples/promise-client": { imports: ["oauth-client"], testImports: ["testing"], rooms: {} },
  "examples/mcp-sdk-agent": { imports: ["oauth-client"], testImports: ["testing"], rooms: {} },
  "examples/custom-gateway": {
    imports: ["gateway-server", "mtls", "oauth-core", "oauth-metrics", "token-cache-sql"],
    testImports: ["testing"],
    rooms: {}
  },
  "examples/own-grant": {
    imports: ["oauth-core", "oauth-flows", "token-cache", "transport-injection"],
    testImports: ["testing"],
    rooms: {}
  },
  "examples/own-store": {
    imports: ["oauth-core", "oauth-flows", "token-cache"],
    testImports: ["testing"],
    rooms: {}
  },
  "examples/own-transport": {
    imports: ["oauth-core", "oauth-flows", "token-cache"],
    testImports: ["testing"],
    rooms: {}
  },
  "tools/authorization-server": { imports: [], testImports: ["testing"], rooms: {} },
  "tools/conformance": {
    imports: ["gateway"],
    rooms: { client: ["process"], process: [], suite: ["client", "process"], upstream: [] }
  },
  "tools/benchmarks": {
    imports: [...everyPackage, "gateway", "testing"],
    rooms: {
      process: [],
      servers: [],
      profile: [],
      measurement: ["process"],
      report: ["measurement"],
      gateway: ["measurement", "process"],
      load: ["measurement", "process"],
      proxies: ["gateway", "load", "measurement", "process", "servers"],
      bridges: ["gateway", "load", "measurement", "process", "servers"],
      relays: ["gateway", "measurement", "process", "servers"],
      starts: ["relays", "bridges", "gateway", "measurement", "process", "servers"],
      tokens: ["measurement", "process", "servers"],
      "tokens/cached": ["tokens"],
      "tokens/keys": ["tokens", "measurement"],
      "tokens/cold": ["tokens", "measurement"],
      "tokens/stampede": ["tokens", "servers"],
      "tokens/inbound": ["tokens"],
      deployments: ["tokens", "proxies", "gateway", "load", "measurement", "process", "servers"],
      "measurements/tokens": ["tokens", "measurement"],
      measurements: [
        "deployments",
        "starts",
        "relays",
        "bridges",
        "proxies",
        "tokens",
        "load",
        "measurement",
        "process",
        "servers"
      ]
    }
  },
  "tools/fuzz": {
    imports: [
      "gateway",
      "gateway-server",
      "mtls",
      "oauth-core",
      "oauth-flows",
      "testing",
      "token-cache",
      "transport-injection"
    ],
    rooms: {
      input: [],
      run: [],
      servers: ["input", "run"],
      targets: ["input", "run", "servers"]
    }
  },
  "tools/models": { imports: ["testing"], rooms: {} },
  "tools/api-report": { imports: [], rooms: {} },
  "tools/release-trial": {
    imports: [],
    testImports: [
      "inbound-auth",
      "echo-server",
      "gateway-server",
      "mtls",
      "oauth-client",
      "oauth-core",
      "oauth-flows",
      "oauth-metrics",
      "testing",
      "token-cache",
      "token-cache-redis",
      "token-cache-sql",
      "transport-injection"
    ],
    rooms: {}
  },
  "tools/site": { imports: [], testImports: ["testing"], rooms: {} },
  "tools/supply-chain": { imports: [], rooms: {} },
  "tools/mutation": { imports: [], rooms: {} },
  "tools/robustness": {
    imports: ["gateway", "testing"],
    rooms: {
      process: [],
      servers: [],
      clients: [],
      attack: [],
      outages: ["attack", "process", "servers", "clients"],
      strangers: ["attack", "process", "servers", "clients"],
      hostile: ["attack", "process", "servers", "clients"],
      soak: ["outages", "process", "servers", "clients"]
    }
  },
  "tools/architecture": { imports: [], rooms: {} }
}

/** The most files that a folder of `src` may hold. */
export const filesInFolder = 15

/** The most lines that a source file may have. */
export const linesInFile = 350
