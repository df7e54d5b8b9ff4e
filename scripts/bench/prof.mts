import { bundle, openPreview } from '../../test/webview/previewPage.ts';
import { sampleRun } from '../../test/webview/sampleTrace.ts';
import { launchBrowser } from '../host/browser.ts';
const LARGE = { layers: 28, heads: 28, side: 28, hiddenSize: 3584, helpers: 1 };
const sizes: any = { big: { ...LARGE, blocks: 8, latents: 8, lines: 1, words: 36 }, s1000: { latents: 2, helpers: 1, lines: 4, words: 1, blocks: 200 } };
const which = process.argv[2]!;
const run = sampleRun(sizes[which]);
const files = await bundle();
const browser = await launchBrowser();
const p = await openPreview(browser, files, { theme: 'dark', width: 1440, height: 900 });
const s = await p.page.context().newCDPSession(p.page);
await s.send('Performance.enable', { timeDomain: 'threadTicks' });
await p.show(run);
await p.page.waitForTimeout(2500);
await p.page.locator('#latent-0').click().catch(()=>{});
await p.page.waitForTimeout(500);
const m = async () => Object.fromEntries((await s.send('Performance.getMetrics')).metrics.map((x:any)=>[x.name,x.value]));
const keys: any = { idle: [], latent: ['ArrowRight'], layer: [']'], head: ['}'], kind: ['2','1'], step: ['ArrowDown'] };
for (const [name, ks] of Object.entries(keys) as any) {
  if (process.argv[3] && process.argv[3] !== name && name !== 'idle') continue;
  await s.send('Profiler.enable'); await s.send('Profiler.setSamplingInterval', { interval: 200 });
  if (process.argv[3] === name) await s.send('Profiler.start');
  const tr = process.argv[4] === 'trace' && process.argv[3] === name; if (tr) await (browser as any).startTracing(p.page, { categories: ['devtools.timeline','disabled-by-default-devtools.timeline','blink','cc','toplevel'] });
  const a = await m(); const N = 12;
  for (let i = 0; i < N; i++) { if (ks.length) await p.page.keyboard.press(ks[i % ks.length]); await p.page.waitForTimeout(150); }
  const b = await m();
  if (tr) { setTimeout(()=>console.log('tdur', (globalThis as any).td, 'dur', (globalThis as any).wd),0); const ev = JSON.parse((await (browser as any).stopTracing()).toString()).traceEvents; const main = ev.find((e:any)=>e.name==='thread_name'&&e.args.name==='CrRendererMain'); const mains = ev.filter((e:any)=>e.name==='thread_name'&&e.args.name==='CrRendererMain').map((e:any)=>e.pid+':'+e.tid); const sum = new Map<string,[number,number]>(); for (const e of ev) if (e.ph==='X' && mains.includes(e.pid+':'+e.tid)) { const x = sum.get(e.name) ?? [0,0]; if (e.name==='RunTask') { (globalThis as any).td=((globalThis as any).td??0)+(e.tdur??NaN); (globalThis as any).wd=((globalThis as any).wd??0)+e.dur;} x[0]+=(e.tdur ?? e.dur ?? 0)/1000; x[1]++; sum.set(e.name,x);} console.log([...sum].sort((x,y)=>y[1][0]-x[1][0]).slice(0,45).map(([k,[d,c]])=>`  ${(d/N).toFixed(2)} x${(c/N).toFixed(1)} ${k}`).join('\n')); }
  console.log(name, ['TaskDuration','ScriptDuration','LayoutDuration','RecalcStyleDuration'].map(k => k + ' ' + ((b[k]-a[k])*1000/N).toFixed(1)).join('  '));
  if (process.argv[3] === name) {
    const { profile } = await s.send('Profiler.stop');
    const self = new Map<string, number>(); const total = new Map<string, number>();
    const byId = new Map(profile.nodes.map((n:any)=>[n.id,n]));
    const parent = new Map<number, number>(); for (const n of profile.nodes as any[]) for (const c of n.children ?? []) parent.set(c, n.id);
    const label = (n:any) => `${n.callFrame.functionName || '(anon)'}:${n.callFrame.lineNumber}`;
    profile.samples!.forEach((id:number, i:number) => { const dt = profile.timeDeltas![i]! / 1000; const n:any = byId.get(id); self.set(label(n), (self.get(label(n)) ?? 0) + dt);
      const seen = new Set<string>(); for (let at: number|undefined = id; at !== undefined; at = parent.get(at)) { const l = label(byId.get(at)); if (!seen.has(l)) { seen.add(l); total.set(l, (total.get(l) ?? 0) + dt); } } });
    const top = (x: Map<string, number>) => [...x].sort((a,b)=>b[1]-a[1]).slice(0, 32).map(([k,v])=>`  ${(v/N).toFixed(2)} ${k}`).join('\n');
    console.log('self\n' + top(self)); console.log('total\n' + top(total));
  }
}
await browser.close();
