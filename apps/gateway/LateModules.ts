import { createRequire, isBuiltin } from "node:module"
import type { Plugin } from "rolldown"

const builtin = "\0builtin:"

/**
 * Takes Node's own modules as objects. An `import` of `node:http` reads each of its exports, and some of these load the whole of
 * Node's own `fetch`, which the gateway does not use.
 */
export const builtinModules = (): Plugin => ({
  name: "builtin-modules",
  resolveId: (id, importer) =>
    // The helpers of the bundler come before those that this plugin needs.
    isBuiltin(id) && importer?.startsWith("\0") !== true
      ? { id: `${builtin}${id}`, moduleSideEffects: false }
      : undefined,
  load: {
    filter: { id: new RegExp(`^${builtin}`) },
    handler: (id) => `module.exports = process.getBuiltinModule(${JSON.stringify(id.slice(builtin.length))})`
  }
})

const { resolve: pathOf } = createRequire(import.meta.url)

const parts = "\0undici"

/** What sends requests, by the file of `undici` that has it. */
const sendingParts: Readonly<Record<string, string>> = {
  Agent: "undici/lib/dispatcher/agent.js",
  Dispatcher: "undici/lib/dispatcher/dispatcher.js",
  Pool: "undici/lib/dispatcher/pool.js",
  ProxyAgent: "undici/lib/dispatcher/proxy-agent.js",
  buildConnector: "undici/lib/core/connect.js"
}

/**
 * Loads a part of `undici` when it is used for the first time. Its own first file loads all: `fetch`, WebSockets, caches and mocks,
 * of which most commands use nothing.
 */
export const undiciParts = (): Plugin => ({
  name: "undici-parts",
  resolveId: { filter: { id: /^undici$/ }, handler: () => parts },
  load: {
    filter: { id: new RegExp(`^${parts}$`) },
    async handler() {
      const fileOf = (path: string) => `require(${JSON.stringify(pathOf(path))})`
      const names = Object.keys(await import("undici")).filter(
        (name) => !/^(?:default|module\.exports)$/.test(name)
      )
      const getters = names.map((name) =>
        name in sendingParts
          ? `get ${name}() { return completed(${fileOf(sendingParts[name] ?? "")}) }`
          : `get ${name}() { return ${fileOf("undici")}.${name} }`
      )
      return [
        // As its first file does: the methods `request`, `stream` and so on of each dispatcher.
        "let isComplete = false",
        "const completed = (part) => {",
        `if (!isComplete) Object.assign(${fileOf("undici/lib/dispatcher/dispatcher.js")}.prototype, ${fileOf("undici/lib/api/index.js")})`,
        "isComplete = true",
        "return part",
        "}",
        `module.exports = { ${getters.join(",\n")} }`
      ].join("\n")
    }
  }
})
