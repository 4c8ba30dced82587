import * as Schema from "effect/Schema"
import { readFileSync, writeFileSync } from "node:fs"

/** An input that is being tried. */
export const InputUnderWay = Schema.Struct({ target: Schema.String, input: Schema.Unknown })

/** An input that is being tried. */
export type InputUnderWay = typeof InputUnderWay.Type

/** The environment variable that names the file where a session notes the input it tries. */
export const underWayVariable = "FUZZ_UNDER_WAY"

const decode = Schema.decodeUnknownSync(Schema.fromJsonString(InputUnderWay))

/** Notes the input that is tried next, so that it is known even if the process does not survive it. */
export const writeUnderWay = (file: string, underWay: InputUnderWay): void =>
  writeFileSync(file, JSON.stringify(underWay))

/** The input that was noted last; undefined if there was none. */
export const readUnderWay = (file: string): InputUnderWay | undefined => {
  const text = readFileSync(file, "utf8")
  return text === "" ? undefined : decode(text)
}
