import { inspect } from "node:util"

export interface HaystackText {
  readonly where: string
  readonly text: string
}

/** Every text a value carries or is rendered as. */
export function* textsOf(value: unknown): Generator<HaystackText> {
  yield* walk(value, "$", new Set())
  if (typeof value === "string") return
  for (const customInspect of [true, false]) {
    yield { where: `util.inspect, customInspect ${customInspect}`, text: inspected(value, customInspect) }
  }
  yield { where: "JSON.stringify", text: stringified(value) }
}

// The walk finds what the renderings hide: message getters, bytes, and properties behind a custom inspect.
function* walk(value: unknown, where: string, seen: Set<unknown>): Generator<HaystackText> {
  if (typeof value === "string") yield { where, text: value }
  if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return
  seen.add(value)
  if (ArrayBuffer.isView(value)) {
    yield { where, text: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString() }
    return
  }
  yield { where: `String(${where})`, text: attempt(() => String(value)) }
  if (value instanceof Error) yield { where: `${where}.message`, text: attempt(() => value.message) }
  yield* walkEntries(value, where, seen)
  for (const key of Reflect.ownKeys(value)) {
    const path = `${where}.${String(key)}`
    yield { where: `the name ${path}`, text: String(key) }
    yield* walk(
      attempt<unknown>(() => Reflect.get(value, key)),
      path,
      seen
    )
  }
}

function* walkEntries(value: object, where: string, seen: Set<unknown>): Generator<HaystackText> {
  if (value instanceof Set || value instanceof Map) {
    for (const entry of value) yield* walk(entry, `${where}[entry]`, seen)
  }
}

const inspected = (value: unknown, customInspect: boolean) =>
  attempt(() =>
    inspect(value, {
      breakLength: Infinity,
      customInspect,
      depth: Infinity,
      getters: true,
      maxArrayLength: Infinity,
      maxStringLength: Infinity,
      showHidden: true
    })
  )

const stringified = (value: unknown) => attempt(() => JSON.stringify(value) ?? "")

// A cycle in JSON, a throwing getter or no string form: what cannot be rendered cannot leak that way, but the
// failure's own message may.
const attempt = <A>(render: () => A): A | string => {
  try {
    return render()
  } catch (error) {
    return error instanceof Error ? error.message : ""
  }
}
