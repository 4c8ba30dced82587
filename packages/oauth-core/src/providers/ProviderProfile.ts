/** A key of the `oauth` object that a provider needs otherwise than the gateway has it by default. */
export interface Preset {
  /** The key in the file. */
  readonly key:
    | "resource"
    | "authorize_params"
    | "scope_on_refresh"
    | "registration"
    | "offline_access"
    | "issuer_mismatch"
    | "basic_encoding"
    | "scope_separator"
  /** For `authorize_params` and `registration`: which of their members. */
  readonly member?: string
  readonly value: string | boolean
  /** What it does, as the end of a sentence that begins with the key. */
  readonly effect: string
  /** The public document that says that the provider needs it. */
  readonly source: string
}

/** What only the operator can do, such as registering a client. */
export interface Need {
  /** The end of a sentence that begins with the name of the provider. */
  readonly what: string
  readonly source: string
}

/** What a provider needs, as its public documents and its users' reports say. */
export interface ProviderProfile {
  readonly title: string
  /** What the URLs of its servers look like, from the scheme on. */
  readonly urls: RegExp
  /** What only the texts of its errors hold. */
  readonly errors?: RegExp
  readonly presets: ReadonlyArray<Preset>
  readonly needs: ReadonlyArray<Need>
}
