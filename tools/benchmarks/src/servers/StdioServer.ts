/**
 * An MCP server on standard input and output that answers every request at once with 100 bytes, as a program for
 * `node --eval`: so it needs no file, and no time to take types away.
 */
export const stdioServer = `
let rest = ""
const resultOf = ({ method, params }) =>
  method === "initialize"
    ? { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: { name: "benchmark", version: "1.0.0" } }
    : method === "tools/call" ? { content: [{ type: "text", text: "${"a".repeat(27)}" }] } : {}
process.stdin.setEncoding("utf8").on("data", (piece) => {
  const lines = (rest + piece).split("\\n")
  rest = lines.pop()
  const answers = lines.map((line) => JSON.parse(line)).filter(({ id }) => id !== undefined)
    .map((message) => JSON.stringify({ jsonrpc: "2.0", id: message.id, result: resultOf(message) }) + "\\n")
  if (answers.length > 0) process.stdout.write(answers.join(""))
})
process.stdin.on("end", () => process.exit(0))
`

/** An HTTP server that answers at once, as a program for `node --eval`; its port is the environment variable PORT. */
export const httpServer = `
require("node:http").createServer((request, response) => {
  request.resume()
  response.writeHead(200, { "content-type": "application/json" }).end("{}")
}).listen(Number(process.env.PORT), "127.0.0.1")
`
