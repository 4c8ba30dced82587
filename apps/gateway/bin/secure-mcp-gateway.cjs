#!/usr/bin/env node
"use strict"

// Every Node can parse this file, so that one that is too old for the others is told so in a sentence.
var least = [22, 19]
var version = process.versions.node.split(".").map(Number)

if (version[0] > least[0] || (version[0] === least[0] && version[1] >= least[1])) {
  require("./start.cjs")
} else {
  process.stderr.write(
    "secure-mcp-gateway needs Node.js " +
      least.join(".") +
      " or later, and this is " +
      process.versions.node +
      ". See https://nodejs.org/download\n"
  )
  process.exitCode = 1
}
