/** How the runtime's telemetry is switched off. */

/**
 * With this in its environment, a process that loads onnxruntime starts no telemetry client. Without it, on Linux
 * and macOS, the first session writes a device id and a database of events below the user's folders and a log into
 * the temporary one, and within a minute the client looks up an outside address.
 */
export const NO_TELEMETRY = { ORT_DISABLE_TELEMETRY: '1' } as const;
