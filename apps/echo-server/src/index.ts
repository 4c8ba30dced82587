export * from "./EchoServer.ts"
export * from "./ReceivedRequest.ts"
export * from "./StdioServer.ts"
