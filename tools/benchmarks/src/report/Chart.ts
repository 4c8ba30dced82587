import type { Measurement } from "../measurement/Measurement.ts"
import type { MeasurementResult } from "../measurement/Result.ts"
import { withUnit } from "./Numbers.ts"
import { medianOf, rowOf } from "./Table.ts"

const width = 760
const labelWidth = 230
const numberWidth = 110
const barHeight = 16
const lineHeight = 22
const titleHeight = 34

/** Bars of every figure that a target judges, as an SVG that can be read on a light and on a dark page. */
export const chart = (measurement: Measurement, result: MeasurementResult): string => {
  const figures = [...new Set(measurement.targets.map(({ figure }) => figure))]
  const parts: Array<string> = []
  let y = 6
  for (const figure of figures) {
    const { title, unit } = rowOf(measurement, figure)
    const bars = [...result.rivals, result.ours]
      .map((contender) => ({
        name: contender.name,
        isOurs: contender === result.ours,
        value: medianOf(contender, figure)
      }))
      .filter(({ value }) => Number.isFinite(value))
    const longest = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE)
    parts.push(`<text x="0" y="${y + 18}" font-weight="bold">${escapeXml(title)}</text>`)
    y += titleHeight
    for (const { isOurs, name, value } of bars) {
      const length = Math.max(2, (Math.max(0, value) / longest) * (width - labelWidth - numberWidth))
      const text = `y="${y + 13}"${isOurs ? ' font-weight="bold"' : ""}`
      parts.push(
        `<text x="${labelWidth - 8}" text-anchor="end" ${text}>${escapeXml(name)}</text>`,
        `<rect x="${labelWidth}" y="${y}" width="${length.toFixed(1)}" height="${barHeight}" fill="${isOurs ? "#1f77d0" : "#9aa4af"}"/>`,
        `<text x="${(labelWidth + length + 6).toFixed(1)}" ${text}>${escapeXml(withUnit(value, unit))}</text>`
      )
      y += lineHeight
    }
    y += 6
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${y}" width="${width}" height="${y}" font-family="sans-serif" font-size="13" fill="#6b7684" role="img">`,
    `<title>${escapeXml(`${measurement.name}: ${measurement.measures}`)}</title>`,
    ...parts,
    "</svg>",
    ""
  ].join("\n")
}

const escapeXml = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")
