/** One entry of `servers` as it stands in the file, with references resolved. `decodeServerEntry` checks it. */
export interface WireServerEntry {
  readonly server_name: string
  readonly config: {
    readonly url?: string
    readonly transport?: string
    readonly headers?: Readonly<Record<string, string>>
    readonly command?: string
    readonly args?: ReadonlyArray<string>
    readonly env?: Readonly<Record<string, string>>
    readonly cwd?: string
  }
  readonly oauth?: {
    readonly enabled?: boolean
    readonly token_env?: string | ReadonlyArray<string>
    readonly [key: string]: unknown
  }
}
