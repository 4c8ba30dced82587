import * as UrlParams from "effect/http/UrlParams"
import type * as Redacted from "effect/Redacted"

/** The parameters of a form, secrets redacted; those that are `undefined` are left out. */
export type FormParameters = Readonly<Record<string, string | Redacted.Redacted | undefined>>

/** One value as it stands in `application/x-www-form-urlencoded` (RFC 6749 appendix B). */
export const formEncode = (value: string): string => UrlParams.toString([["", value]]).slice(1)
