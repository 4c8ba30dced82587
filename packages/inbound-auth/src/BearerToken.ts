/** What an `Authorization` header holds. */
export type Credential =
  | { readonly _tag: "None" }
  | { readonly _tag: "Bearer"; readonly token: string }
  /** Another scheme, several headers, or no token. */
  | { readonly _tag: "Other" }

/** Reads an `Authorization` header (RFC 6750 §2.1). A token anywhere else, such as in the URL, is none. */
export const credentialOf = (authorization: string | undefined): Credential => {
  if (authorization === undefined) return none
  const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(authorization)?.[1]
  return token === undefined ? other : { _tag: "Bearer", token }
}

/** The token of an `Authorization` header; undefined if it has none. */
export const bearerTokenOf = (authorization: string | undefined): string | undefined => {
  const credential = credentialOf(authorization)
  return credential._tag === "Bearer" ? credential.token : undefined
}

const none: Credential = { _tag: "None" }
const other: Credential = { _tag: "Other" }
