import type { Redis } from 'ioredis';

/** Takes a connection to Redis; gives an oidc-provider adapter class over it: one string a model, as its own example keeps them. */
export function redisAdapter(redis: Redis) {
  return class RedisAdapter {
    readonly model: string;

    constructor(model: string) {
      this.model = model;
    }

    key(id: string) {
      return `peer:${this.model}:${id}`;
    }

    async upsert(id: string, payload: object, expiresIn: number) {
      await redis.set(this.key(id), JSON.stringify(payload), 'EX', expiresIn);
    }

    async find(id: string) {
      const text = await redis.get(this.key(id));
      return text === null ? undefined : (JSON.parse(text) as object);
    }

    async findByUid() {
      return undefined;
    }

    async findByUserCode() {
      return undefined;
    }

    async consume(_id: string) {}

    async destroy(id: string) {
      await redis.del(this.key(id));
    }

    async revokeByGrantId(_id: string) {}
  };
}
