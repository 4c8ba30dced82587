"use strict"

const { existsSync, mkdirSync } = require("node:fs")
const { enableCompileCache } = require("node:module")
const { homedir } = require("node:os")
const { join } = require("node:path")

/**
 * A folder that only this user can write to: what is in it is run. Node's default is a folder in /tmp, where others could put
 * theirs first.
 */
const makeCacheDirectory = () => {
  const { LOCALAPPDATA, XDG_CACHE_HOME } = process.env
  const given = process.platform === "win32" ? LOCALAPPDATA : XDG_CACHE_HOME
  const base = given || join(homedir(), ".cache")
  const directory = join(base, "secure-mcp-gateway")
  // One by one: with `recursive`, Node tries for ever where a file system answers that there is no such folder.
  for (const path of [base, directory]) {
    try {
      mkdirSync(path, { mode: 0o700 })
    } catch (error) {
      if (error.code !== "EEXIST") throw error
    }
  }
  return directory
}

try {
  // Node compiles the command once, and not at each start.
  enableCompileCache(makeCacheDirectory())
} catch {
  // There is no place for it: the command is compiled at each start.
}

const command = join(__dirname, "../dist/secure-mcp-gateway.js")

// Only a clone of the repository can be without it.
if (existsSync(command)) import("../dist/secure-mcp-gateway.js")
else {
  process.stderr.write(
    "secure-mcp-gateway is not built here yet: run `npm run build` in the clone of its repository\n"
  )
  process.exitCode = 1
}
