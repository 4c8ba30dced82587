/** Three digits that matter, and no more than that. */
export const inWords = (value: number): string => {
  if (Number.isNaN(value)) return "–"
  if (value === 0) return "0"
  const size = Math.abs(value)
  if (size >= 100) return Math.round(value).toLocaleString("en-US")
  if (size >= 10) return value.toFixed(1)
  return value.toFixed(2)
}

/** With its unit; a rate has none between. */
export const withUnit = (value: number, unit: string): string => {
  // A count of few.
  if (unit === "" && Number.isInteger(value)) return String(value)
  if (Number.isNaN(value) || unit === "") return inWords(value)
  return unit.startsWith("/") ? `${inWords(value)}${unit}` : `${inWords(value)} ${unit}`
}
