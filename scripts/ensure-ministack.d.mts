/** Version of ministack that the templates are loaded into. */
export const ministackVersion: string;
/** @returns the Python of a virtual environment that has ministack. @throws Error that says what is missing and how to get it */
export function ensureMinistack(say?: (line: string) => void): Promise<string>;
