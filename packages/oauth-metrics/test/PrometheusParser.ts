import { assert } from "@effect/vitest"

/** One metric family of the text format, with the samples that belong to it. */
export interface Family {
  readonly type: string
  readonly help: string
  readonly samples: ReadonlyArray<Sample>
}

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/**
 * Reads the Prometheus text format 0.0.4 and fails on everything that is not exactly it: each family is declared
 * once, HELP before TYPE before its samples, which stand together; histograms are complete and cumulative.
 */
export const parsePrometheus = (text: string): ReadonlyMap<string, Family> => {
  if (text !== "") assert.strictEqual(text.at(-1), "\n", "the last line must end with a line feed")
  const families = new Map<string, { type: string; help: string; samples: Array<Sample> }>()
  const lines = text.split("\n").slice(0, -1)
  let current = ""
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? ""
    const help = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (\S.*)$/.exec(line)
    if (help === null) {
      const sample = parseSample(line)
      const family = families.get(current)
      assert.isDefined(family, `sample before any declaration: ${line}`)
      assert.isTrue(belongs(sample.name, current, family.type), `${line} stands in the family ${current}`)
      family.samples.push(sample)
      continue
    }
    current = help[1] ?? ""
    assert.isFalse(families.has(current), `${current} is declared twice`)
    const type = /^# TYPE (\S+) (counter|gauge|histogram)$/.exec(lines[++index] ?? "")
    assert.strictEqual(type?.[1], current, `no TYPE line follows ${line}`)
    families.set(current, { type: type?.[2] ?? "", help: help[2] ?? "", samples: [] })
  }
  for (const [name, family] of families) if (family.type === "histogram") checkHistogram(name, family)
  return families
}

const belongs = (sample: string, family: string, type: string): boolean =>
  type === "histogram"
    ? ["_bucket", "_sum", "_count"].some((suffix) => sample === family + suffix)
    : sample === family

const parseSample = (line: string): Sample => {
  const parts = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
  assert.isNotNull(parts, `not a sample: ${line}`)
  const [, name = "", labels = "", value = ""] = parts
  assert.match(value, /^\d+(?:\.\d+)?(?:e[+-]?\d+)?$/, `not a plain number: ${line}`)
  return { name, labels: parseLabels(labels), value: Number(value) }
}

const parseLabels = (text: string): Record<string, string> => {
  const labels: Record<string, string> = {}
  let rest = text
  while (rest !== "") {
    const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(?:,(?=.)|$)/.exec(rest)
    assert.isNotNull(label, `not a label list: {${text}}`)
    const [whole, name = "", value = ""] = label
    assert.isFalse(name in labels, `label ${name} stands twice in {${text}}`)
    labels[name] = value.replaceAll(/\\([\\"n])/g, (_, escaped: string) => (escaped === "n" ? "\n" : escaped))
    rest = rest.slice(whole.length)
  }
  return labels
}

const checkHistogram = (name: string, { samples }: Family): void => {
  const servers = new Set(samples.map(({ labels }) => labels["server"]))
  for (const server of servers) {
    const own = samples.filter(({ labels }) => labels["server"] === server)
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`)
    const bounds = buckets.map(({ labels }) => (labels["le"] === "+Inf" ? Infinity : Number(labels["le"])))
    assert.deepStrictEqual(
      bounds,
      [...new Set(bounds)].sort((a, b) => a - b),
      "bounds must ascend"
    )
    assert.strictEqual(bounds.at(-1), Infinity)
    const counts = buckets.map(({ value }) => value)
    assert.deepStrictEqual(
      counts,
      [...counts].sort((a, b) => a - b),
      "buckets must be cumulative"
    )
    const count = own.filter((sample) => sample.name === `${name}_count`)
    assert.deepStrictEqual(
      count.map(({ value }) => value),
      counts.slice(-1),
      "+Inf must be the count"
    )
    assert.lengthOf(
      own.filter((sample) => sample.name === `${name}_sum`),
      1
    )
  }
}
