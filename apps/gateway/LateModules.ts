import { createRequire, isBuiltin } from "node:module"
import type { Plugin } from "rolldown"

const builtin = "\0builtin:"

/**
 * Loads each of Node's own modules when something of it is used for the first time: most commands use few, and twenty files of Node
 * belong to `node:crypto` alone. An `import` of `node:http` would read each of its exports besides, and some of these load the whole
 * of Node's own `fetch`, which the gateway does not use.
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
    handler: (id) => {
      const name = id.slice(builtin.length)
      const load = `process.getBuiltinModule(${JSON.stringify(name)})`
      const loaded = process.getBuiltinModule(name)
      const getters = Object.getOwnPropertyNames(loaded).map(
        (member) =>
          `get ${JSON.stringify(member)}() { return (loaded ??= ${load})[${JSON.stringify(member)}] }`
      )
      const members = `{ ${getters.join(",\n")} }`
      // `undici` asserts much in each request. What holds needs nothing of this module, which loads how a failure is shown.
      if (/^(?:node:)?assert$/.test(name))
        return [
          "let loaded",
          `const assert = (value, message) => { if (!value) (loaded ??= ${load})(value, message) }`,
          `module.exports = Object.defineProperties(assert, Object.getOwnPropertyDescriptors(${members}))`
        ].join("\n")
      // A class or a function that has the others as members, and the one whose members are set, are there in any case.
      if (typeof loaded === "function" || /^(?:node:)?process$/.test(name)) return `module.exports = ${load}`
      return `let loaded\nmodule.exports = ${members}`
    }
  }
})

const { resolve: pathOf } = createRequire(import.meta.url)

const parts = "\0undici"

/** What sends requests, by the file of `undici` that has it. Of the others the bundle has only what these need. */
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
    handler() {
      const fileOf = (path: string) => `require(${JSON.stringify(pathOf(path))})`
      const getters = Object.entries(sendingParts).map(
        ([name, path]) => `get ${name}() { return completed(${fileOf(path)}) }`
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
  },
  transform: {
    filter: { id: /undici\/lib\/dispatcher\/client\.js$/ },
    handler(code) {
      // The gateway speaks HTTP/1.1 only, and the part for HTTP/2 loads `node:http2`.
      const made = "= require('./client-h2.js')"
      if (!code.includes(made)) this.error("undici takes its part for HTTP/2 in another way now")
      return { code: code.replace(made, "= (...args) => require('./client-h2.js')(...args)"), map: null }
    }
  },
  generateBundle(_options, bundle) {
    for (const output of Object.values(bundle)) {
      const used = output.type === "chunk" ? output.code.matchAll(/\bimport__undici(?:\$\d+)?\.(\w+)/g) : []
      for (const [, name = ""] of used)
        if (!(name in sendingParts)) this.error(`Say in which file of undici ${name} is, in LateModules.ts`)
    }
  }
})

/** Makes what Effect splits help texts with when it is first used: to load its data takes a tenth of a start. */
export const lateSegmenter = (): Plugin => ({
  name: "late-segmenter",
  transform: {
    filter: { id: /effect\/dist\/cli\/CliOutput\.js$/ },
    handler(code) {
      const made = /new (Intl\.Segmenter\(undefined, \{\s*granularity: "grapheme"\s*\}\))/
      if (!made.test(code)) this.error("Effect makes its Intl.Segmenter in another way now")
      return { code: code.replace(made, "{ segment: (text) => new $1.segment(text) }"), map: null }
    }
  }
})
