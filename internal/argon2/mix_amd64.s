#include "textflag.h"

// Bytes of a 64-bit word rotated right by 24 and by 16, for VPSHUFB.
DATA rotate24<>+0x00(SB)/8, $0x0201000706050403
DATA rotate24<>+0x08(SB)/8, $0x0a09080f0e0d0c0b
DATA rotate24<>+0x10(SB)/8, $0x0201000706050403
DATA rotate24<>+0x18(SB)/8, $0x0a09080f0e0d0c0b
GLOBL rotate24<>(SB), RODATA|NOPTR, $32

DATA rotate16<>+0x00(SB)/8, $0x0100070605040302
DATA rotate16<>+0x08(SB)/8, $0x09080f0e0d0c0b0a
DATA rotate16<>+0x10(SB)/8, $0x0100070605040302
DATA rotate16<>+0x18(SB)/8, $0x09080f0e0d0c0b0a
GLOBL rotate16<>(SB), RODATA|NOPTR, $32

// a += b + 2*lo32(a)*lo32(b), for two at a time.
#define MULADD(A0, B0, A1, B1) \
	VPMULUDQ A0, B0, Y8; \
	VPMULUDQ A1, B1, Y9; \
	VPADDQ   B0, A0, A0; \
	VPADDQ   B1, A1, A1; \
	VPADDQ   Y8, Y8, Y8; \
	VPADDQ   Y9, Y9, Y9; \
	VPADDQ   Y8, A0, A0; \
	VPADDQ   Y9, A1, A1

// Eight quarter rounds: four in (A0, B0, C0, D0), four in (A1, B1, C1, D1).
#define QUARTERS(A0, B0, C0, D0, A1, B1, C1, D1) \
	MULADD(A0, B0, A1, B1); \
	VPXOR   A0, D0, D0; \
	VPXOR   A1, D1, D1; \
	VPSHUFD $0xB1, D0, D0; \
	VPSHUFD $0xB1, D1, D1; \
	MULADD(C0, D0, C1, D1); \
	VPXOR   C0, B0, B0; \
	VPXOR   C1, B1, B1; \
	VPSHUFB Y14, B0, B0; \
	VPSHUFB Y14, B1, B1; \
	MULADD(A0, B0, A1, B1); \
	VPXOR   A0, D0, D0; \
	VPXOR   A1, D1, D1; \
	VPSHUFB Y15, D0, D0; \
	VPSHUFB Y15, D1, D1; \
	MULADD(C0, D0, C1, D1); \
	VPXOR   C0, B0, B0; \
	VPXOR   C1, B1, B1; \
	VPADDQ  B0, B0, Y8; \
	VPADDQ  B1, B1, Y9; \
	VPSRLQ  $63, B0, B0; \
	VPSRLQ  $63, B1, B1; \
	VPXOR   Y8, B0, B0; \
	VPXOR   Y9, B1, B1

// Loads x XOR y at an offset.
#define LOAD(OFFSET, R) \
	VMOVDQU OFFSET(SI), R; \
	VPXOR   OFFSET(DX), R, R

// out at an offset: R, x and y together; with what was there if Y13 is all ones.
#define STORE(OFFSET, R) \
	VPXOR   OFFSET(SI), R, R; \
	VPXOR   OFFSET(DX), R, R; \
	VPAND   OFFSET(DI), Y13, Y8; \
	VPXOR   Y8, R, R; \
	VMOVDQU R, OFFSET(DI)

// func mixAVX2(out, x, y *block, xor bool)
//
// First the eight rows of 16 words are permuted, two at a time, a register
// holding a quarter of a row. Then the eight columns of 2 by 8 words, two at
// a time, a register holding the words of both in one row.
TEXT ·mixAVX2(SB), 0, $1024-25
	MOVQ    out+0(FP), DI
	MOVQ    x+8(FP), SI
	MOVQ    y+16(FP), DX
	MOVBLZX xor+24(FP), AX
	NEGQ    AX
	MOVQ    AX, X13
	VPBROADCASTQ X13, Y13
	VMOVDQU rotate24<>(SB), Y14
	VMOVDQU rotate16<>(SB), Y15
	LEAQ    z-1024(SP), BX
	MOVQ    $4, CX

rows:
	LOAD(0, Y0)
	LOAD(32, Y1)
	LOAD(64, Y2)
	LOAD(96, Y3)
	LOAD(128, Y4)
	LOAD(160, Y5)
	LOAD(192, Y6)
	LOAD(224, Y7)
	QUARTERS(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7)
	VPERMQ  $0x39, Y1, Y1
	VPERMQ  $0x39, Y5, Y5
	VPERMQ  $0x4E, Y2, Y2
	VPERMQ  $0x4E, Y6, Y6
	VPERMQ  $0x93, Y3, Y3
	VPERMQ  $0x93, Y7, Y7
	QUARTERS(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7)
	VPERMQ  $0x93, Y1, Y1
	VPERMQ  $0x93, Y5, Y5
	VPERMQ  $0x4E, Y2, Y2
	VPERMQ  $0x4E, Y6, Y6
	VPERMQ  $0x39, Y3, Y3
	VPERMQ  $0x39, Y7, Y7
	VMOVDQU Y0, 0(BX)
	VMOVDQU Y1, 32(BX)
	VMOVDQU Y2, 64(BX)
	VMOVDQU Y3, 96(BX)
	VMOVDQU Y4, 128(BX)
	VMOVDQU Y5, 160(BX)
	VMOVDQU Y6, 192(BX)
	VMOVDQU Y7, 224(BX)
	ADDQ    $256, SI
	ADDQ    $256, DX
	ADDQ    $256, BX
	DECQ    CX
	JNZ     rows

	SUBQ    $1024, SI
	SUBQ    $1024, DX
	SUBQ    $1024, BX
	MOVQ    $4, CX

columns:
	VMOVDQU 0(BX), Y0
	VMOVDQU 128(BX), Y1
	VMOVDQU 256(BX), Y2
	VMOVDQU 384(BX), Y3
	VMOVDQU 512(BX), Y4
	VMOVDQU 640(BX), Y5
	VMOVDQU 768(BX), Y6
	VMOVDQU 896(BX), Y7
	QUARTERS(Y0, Y2, Y4, Y6, Y1, Y3, Y5, Y7)
	VPALIGNR $8, Y2, Y3, Y10
	VPALIGNR $8, Y3, Y2, Y11
	VPALIGNR $8, Y7, Y6, Y12
	VPALIGNR $8, Y6, Y7, Y7
	QUARTERS(Y0, Y10, Y5, Y12, Y1, Y11, Y4, Y7)
	VPALIGNR $8, Y11, Y10, Y2
	VPALIGNR $8, Y10, Y11, Y3
	VPALIGNR $8, Y12, Y7, Y6
	VPALIGNR $8, Y7, Y12, Y7
	STORE(0, Y0)
	STORE(128, Y1)
	STORE(256, Y2)
	STORE(384, Y3)
	STORE(512, Y4)
	STORE(640, Y5)
	STORE(768, Y6)
	STORE(896, Y7)
	ADDQ    $32, SI
	ADDQ    $32, DX
	ADDQ    $32, BX
	ADDQ    $32, DI
	DECQ    CX
	JNZ     columns

	VZEROUPPER
	RET
