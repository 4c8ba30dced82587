import type { JsonObject } from "./Json.ts"
import type { SecretText } from "./text/SecretText.ts"

/** A server as another program's file has it. */
export interface ForeignServer {
  readonly name: string
  readonly entry: unknown
  /** How the entry is written: as MCP clients do, or as enkryptai/secure-mcp-gateway does. */
  readonly dialect: "client" | "enkrypt"
  /** The file it stands in, and its folder. */
  readonly file: string
  readonly directory: string
}

/** What the reading of an entry may use. */
export interface Reading {
  readonly server: string
  readonly text: SecretText
  /** The text of a file next to the one that is read; undefined if it cannot be read. */
  readonly fileText: (path: string) => string | undefined
  /** Says a thing that could not be carried over, or not as it was. */
  readonly remark: (text: string) => void
}

/** An entry of `servers` in the making: without secrets, not yet checked. */
export interface NewServer {
  readonly config: JsonObject
  readonly oauth?: JsonObject | undefined
  /** What a key of `oauth` comes from, where its name does not say. */
  readonly origins?: Readonly<Record<string, string>>
}

/** Why there is no entry. */
export interface LeftOut {
  readonly leftOut: string
}

export const leftOut = (reason: string): LeftOut => ({ leftOut: reason })
