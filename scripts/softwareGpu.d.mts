export const softwareDriver: string;
export function hasSoftwareGpu(): boolean;
export const softwareGpu: Record<string, string>;
