/** A variable of a child, and what is written into it around the token (`Bearer {token}`); default the token alone. */
export interface WireTokenVariable {
  readonly name: string
  readonly format?: string
}

/** One entry of `servers` as it is in the file, with references resolved. `decodeServerEntry` checks it. */
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
    readonly start_timeout_seconds?: number
    readonly token_renewal?: string
    readonly token_file_env?: string
  }
  readonly limits?: Readonly<Record<string, number>>
  readonly tools?: { readonly allow?: ReadonlyArray<string>; readonly deny?: ReadonlyArray<string> }
  readonly user_agent?: string
  readonly proxy?: string | false
  readonly oauth?: {
    readonly enabled?: boolean
    readonly token_env?: string | WireTokenVariable | ReadonlyArray<string | WireTokenVariable>
    readonly [key: string]: unknown
  }
}
