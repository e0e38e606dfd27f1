import { z } from 'zod';

/** A postal address as it is printed on a parcel. */
export const Address = z
  .strictObject({
    name: z.string().trim().min(1).max(100),
    phone: z.string().trim().regex(/^[+0-9][0-9 ()-]{5,24}$/),
    /** ISO 3166-1 alpha-2 */
    country: z.string().regex(/^[A-Z]{2}$/),
    postalCode: z.string().trim().min(3).max(12),
    /** province or state; empty where there is none */
    region: z.string().trim().max(100).default(''),
    city: z.string().trim().min(1).max(100),
    line1: z.string().trim().min(1).max(200),
    line2: z.string().trim().max(200).default(''),
  })
  .meta({
    id: 'Address',
    example: { name: '김미나', phone: '010-1234-5678', country: 'KR', postalCode: '04524', city: '서울특별시', line1: '중구 세종대로 110' },
  });
export type Address = z.infer<typeof Address>;
