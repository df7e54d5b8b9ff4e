/** Checkpoints that people look for, by their names on the hub. */

export interface KnownCheckpoint {
  repository: string;
  /** Whose protocol its latents follow; undefined for a model without any. */
  family?: string;
  /** Whether runs feed its latents back; else it runs as a plain Qwen2.5-VL (see ../checkpoint/families.ts). */
  latents: boolean;
}

/** ILVR's own, its base models, then the families that are known by name and not run as such yet. */
export const KNOWN_CHECKPOINTS: readonly KnownCheckpoint[] = [
  { repository: 'shuai22/comt_ckpt', family: 'ILVR', latents: true },
  { repository: 'Qwen/Qwen2.5-VL-3B-Instruct', latents: false },
  { repository: 'Qwen/Qwen2.5-VL-7B-Instruct', latents: false },
  { repository: 'NOVAglow646/Monet-7B', family: 'Monet', latents: false },
  { repository: 'NOVAglow646/Monet-SFT-7B', family: 'Monet', latents: false },
  { repository: 'vincentleebang/LVR-7B', family: 'LVR', latents: false },
  { repository: 'JosephTong/SkiLa-7B', family: 'SkiLa', latents: false },
  { repository: 'Miiche/vsp_spatial_planning_direct_sft', family: 'Mirage', latents: false },
  { repository: 'wybb/laser-7b', family: 'Laser', latents: false },
  { repository: 'Wakals/CoVT-7B-seg_depth_dino', family: 'CoVT', latents: false },
];
