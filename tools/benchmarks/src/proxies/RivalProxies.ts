import * as Effect from "effect/Effect"
import { startServer } from "../process/NodeProgram.ts"
import { nginx } from "./Nginx.ts"
import type { Proxy } from "./Proxy.ts"

/** A proxy that is a program of this folder. */
const nodeProxy = (name: string, program: string): Proxy => ({
  name,
  start: (_run, upstreamUrl, nodeOptions = []) =>
    Effect.map(
      startServer(new URL(program, import.meta.url), [upstreamUrl], { nodeOptions }),
      ({ pid, url }) => ({ pid, url: `${url}/mcp` })
    )
})

export const bareNode = nodeProxy("bare Node", "BareNodeProxy.ts")

export const fastProxy = nodeProxy("fast-proxy", "FastProxyServer.ts")

export const httpProxy3 = nodeProxy("http-proxy-3", "HttpProxy3Server.ts")

export const rivalProxies: ReadonlyArray<Proxy> = [bareNode, fastProxy, httpProxy3, nginx]
