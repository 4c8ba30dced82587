import * as NodeServices from "@effect/platform-node/NodeServices"
import { ClientCertificates } from "@secure-mcp/mtls"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

/** A folder for files that are read, until the scope closes. */
export const makeFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "fuzz-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

/** What reads files. */
export const fileServices = Layer.build(ClientCertificates.layer.pipe(Layer.provideMerge(NodeServices.layer)))
