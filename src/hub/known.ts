/** Checkpoints that people look for, by their names on the hub. */

export interface KnownCheckpoint {
  repository: string;
  /** Whose protocol its latents follow; undefined for a model without any. */
  family?: string;
  /** What it is or stands on. */
  base: 'Qwen2.5-VL' | 'Qwen3-VL';
  /** Whether it runs with latents; else as a plain base model. */
  latents: boolean;
}

/** ILVR's own, its base models, then those of the other families (../model/families). */
export const KNOWN_CHECKPOINTS: readonly KnownCheckpoint[] = [
  { repository: 'shuai22/comt_ckpt', base: 'Qwen2.5-VL', family: 'ILVR', latents: true },
  { repository: 'Qwen/Qwen2.5-VL-3B-Instruct', base: 'Qwen2.5-VL', latents: false },
  { repository: 'Qwen/Qwen2.5-VL-7B-Instruct', base: 'Qwen2.5-VL', latents: false },
  { repository: 'Qwen/Qwen3-VL-4B-Instruct', base: 'Qwen3-VL', latents: false },
  { repository: 'Qwen/Qwen3-VL-8B-Instruct', base: 'Qwen3-VL', latents: false },
  { repository: 'NOVAglow646/Monet-7B', base: 'Qwen2.5-VL', family: 'Monet', latents: true },
  { repository: 'NOVAglow646/Monet-SFT-7B', base: 'Qwen2.5-VL', family: 'Monet', latents: true },
  { repository: 'vincentleebang/LVR-7B', base: 'Qwen2.5-VL', family: 'LVR', latents: true },
  { repository: 'JosephTong/SkiLa-7B', base: 'Qwen2.5-VL', family: 'SkiLa', latents: true },
  {
    repository: 'Miiche/vsp_spatial_planning_direct_sft',
    base: 'Qwen2.5-VL',
    family: 'Mirage',
    latents: true,
  },
  { repository: 'wybb/laser-7b', base: 'Qwen2.5-VL', family: 'Laser', latents: true },
  { repository: 'Wakals/CoVT-7B-seg_depth_dino', base: 'Qwen2.5-VL', family: 'CoVT', latents: true },
  { repository: 'Accio-Lab/SwimBird-8B', base: 'Qwen3-VL', family: 'SwimBird', latents: true },
];
