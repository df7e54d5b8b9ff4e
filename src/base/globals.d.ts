/** What every host of ours (Node, VS Code, browser) has, for folders compiled without a host's types. */
declare function btoa(binary: string): string;
declare function atob(base64: string): string;
declare function setTimeout(callback: () => void, milliseconds: number): unknown;
