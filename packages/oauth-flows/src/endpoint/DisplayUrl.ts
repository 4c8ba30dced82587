/** A URL for errors and logs: a query may hold what is nobody else's business. */
export const withoutQuery = (url: string): string => url.replace(/[?#].*$/s, "")
