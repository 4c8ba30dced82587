import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as NodePath from "@effect/platform-node/NodePath"
import { ClientCertificates, MtlsOAuthHttp } from "@secure-mcp/mtls"
import { OAuthService } from "@secure-mcp/oauth-core"
import { OAuthFlows } from "@secure-mcp/oauth-flows"
import { OAuthMetrics } from "@secure-mcp/oauth-metrics"
import { SingleFlightTokenCache, StoredRegisteredClients } from "@secure-mcp/token-cache"
import { TokenInjector } from "@secure-mcp/transport-injection"
import * as Layer from "effect/Layer"
import { withFiles } from "./CertificateOption.ts"
import type { ClientEvents } from "./ClientEvents.ts"
import type { ClientSettings } from "./OAuthClientOptions.ts"

/** Wires the packages, as the gateway does: the same layers, for one MCP server. */
export const clientServices = ({ certificateFiles, store }: ClientSettings, events: ClientEvents) =>
  TokenInjector.layer.pipe(
    Layer.provideMerge(OAuthService.layer),
    Layer.provide(OAuthFlows.layer),
    Layer.provide(StoredRegisteredClients.layer),
    Layer.provideMerge(SingleFlightTokenCache.layer),
    Layer.provide(store),
    Layer.provide(MtlsOAuthHttp.layer),
    Layer.provideMerge(ClientCertificates.layer.pipe(Layer.provide(withFiles(certificateFiles)))),
    Layer.provideMerge(Layer.merge(OAuthMetrics.layer, events.layer)),
    Layer.provide(Layer.merge(NodeFileSystem.layer, NodePath.layer))
  )

/** What the calls of the client use. */
export type ClientServices = Layer.Success<ReturnType<typeof clientServices>>
