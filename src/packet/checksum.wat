;; Loops over packet bytes that SIMD makes several times faster than JavaScript (bench/dataplane.ts).
;;
;; sum: the folded ones' complement sum of bytes [at, at + len) read as little-endian 16-bit words; an odd last byte is the
;; low half of a word. 64 bytes a turn in four accumulators. Each 32-bit lane takes at most 2 * 65,535 a turn, so
;; 64 KiB cannot overflow it.
(module
  (import "arena" "memory" (memory 1 65536))
  (func (export "sum") (param $at i32) (param $len i32) (result i32)
    (local $end i32) (local $total i64)
    (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $end (i32.add (local.get $at) (i32.and (local.get $len) (i32.const -64))))
    (block $blocks_done
      (loop $blocks
        (br_if $blocks_done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $a (i32x4.add (local.get $a) (i32x4.extadd_pairwise_i16x8_u (v128.load (local.get $at)))))
        (local.set $b (i32x4.add (local.get $b) (i32x4.extadd_pairwise_i16x8_u (v128.load offset=16 (local.get $at)))))
        (local.set $c (i32x4.add (local.get $c) (i32x4.extadd_pairwise_i16x8_u (v128.load offset=32 (local.get $at)))))
        (local.set $d (i32x4.add (local.get $d) (i32x4.extadd_pairwise_i16x8_u (v128.load offset=48 (local.get $at)))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (br $blocks)))
    (local.set $a (i32x4.add (i32x4.add (local.get $a) (local.get $b)) (i32x4.add (local.get $c) (local.get $d))))
    (local.set $total
      (i64.add
        (i64.add (i64.extend_i32_u (i32x4.extract_lane 0 (local.get $a))) (i64.extend_i32_u (i32x4.extract_lane 1 (local.get $a))))
        (i64.add (i64.extend_i32_u (i32x4.extract_lane 2 (local.get $a))) (i64.extend_i32_u (i32x4.extract_lane 3 (local.get $a))))))
    (local.set $len (i32.and (local.get $len) (i32.const 63)))
    (block $words_done
      (loop $words
        (br_if $words_done (i32.lt_u (local.get $len) (i32.const 4)))
        (local.set $total (i64.add (local.get $total) (i64.load32_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $len (i32.sub (local.get $len) (i32.const 4)))
        (br $words)))
    (if (i32.and (local.get $len) (i32.const 2))
      (then
        (local.set $total (i64.add (local.get $total) (i64.load16_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))))
    (if (i32.and (local.get $len) (i32.const 1))
      (then (local.set $total (i64.add (local.get $total) (i64.load8_u (local.get $at))))))
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffffffff)) (i64.shr_u (local.get $total) (i64.const 32))))
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffff)) (i64.shr_u (local.get $total) (i64.const 16))))
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffff)) (i64.shr_u (local.get $total) (i64.const 16))))
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffff)) (i64.shr_u (local.get $total) (i64.const 16))))
    (i32.wrap_i64 (local.get $total)))
  ;; The same, copying the bytes to $to on the way; the regions may not overlap.
  (func (export "copySum") (param $to i32) (param $at i32) (param $len i32) (result i32)
    (local $end i32) (local $total i64)
    (local $x v128) (local $a v128) (local $b v128) (local $c v128) (local $d v128)
    (local.set $end (i32.add (local.get $at) (i32.and (local.get $len) (i32.const -64))))
    (block $blocks_done
      (loop $blocks
        (br_if $blocks_done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $x (v128.load (local.get $at)))
        (v128.store (local.get $to) (local.get $x))
        (local.set $a (i32x4.add (local.get $a) (i32x4.extadd_pairwise_i16x8_u (local.get $x))))
        (local.set $x (v128.load offset=16 (local.get $at)))
        (v128.store offset=16 (local.get $to) (local.get $x))
        (local.set $b (i32x4.add (local.get $b) (i32x4.extadd_pairwise_i16x8_u (local.get $x))))
        (local.set $x (v128.load offset=32 (local.get $at)))
        (v128.store offset=32 (local.get $to) (local.get $x))
        (local.set $c (i32x4.add (local.get $c) (i32x4.extadd_pairwise_i16x8_u (local.get $x))))
        (local.set $x (v128.load offset=48 (local.get $at)))
        (v128.store offset=48 (local.get $to) (local.get $x))
        (local.set $d (i32x4.add (local.get $d) (i32x4.extadd_pairwise_i16x8_u (local.get $x))))
        (local.set $at (i32.add (local.get $at) (i32.const 64)))
        (local.set $to (i32.add (local.get $to) (i32.const 64)))
        (br $blocks)))
    (local.set $a (i32x4.add (i32x4.add (local.get $a) (local.get $b)) (i32x4.add (local.get $c) (local.get $d))))
    (local.set $total
      (i64.add
        (i64.add (i64.extend_i32_u (i32x4.extract_lane 0 (local.get $a))) (i64.extend_i32_u (i32x4.extract_lane 1 (local.get $a))))
        (i64.add (i64.extend_i32_u (i32x4.extract_lane 2 (local.get $a))) (i64.extend_i32_u (i32x4.extract_lane 3 (local.get $a))))))
    (local.set $len (i32.and (local.get $len) (i32.const 63)))
    (memory.copy (local.get $to) (local.get $at) (local.get $len))
    (block $words_done
      (loop $words
        (br_if $words_done (i32.lt_u (local.get $len) (i32.const 4)))
        (local.set $total (i64.add (local.get $total) (i64.load32_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 4)))
        (local.set $len (i32.sub (local.get $len) (i32.const 4)))
        (br $words)))
    (if (i32.and (local.get $len) (i32.const 2))
      (then
        (local.set $total (i64.add (local.get $total) (i64.load16_u (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 2)))))
    (if (i32.and (local.get $len) (i32.const 1))
      (then (local.set $total (i64.add (local.get $total) (i64.load8_u (local.get $at))))))
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffffffff)) (i64.shr_u (local.get $total) (i64.const 32))))
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffff)) (i64.shr_u (local.get $total) (i64.const 16))))
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffff)) (i64.shr_u (local.get $total) (i64.const 16))))
    (local.set $total (i64.add (i64.and (local.get $total) (i64.const 0xffff)) (i64.shr_u (local.get $total) (i64.const 16))))
    (i32.wrap_i64 (local.get $total)))
  ;; Do $len bytes (a multiple of 16) at $a and $b differ in any bit that is set in the bytes at $mask? 1 or 0.
  (func (export "differ") (param $a i32) (param $b i32) (param $mask i32) (param $len i32) (result i32)
    (local $end i32) (local $found v128)
    (local.set $end (i32.add (local.get $a) (local.get $len)))
    (loop $blocks
      (local.set $found
        (v128.or
          (local.get $found)
          (v128.and (v128.xor (v128.load (local.get $a)) (v128.load (local.get $b))) (v128.load (local.get $mask)))))
      (local.set $a (i32.add (local.get $a) (i32.const 16)))
      (local.set $b (i32.add (local.get $b) (i32.const 16)))
      (local.set $mask (i32.add (local.get $mask) (i32.const 16)))
      (br_if $blocks (i32.lt_u (local.get $a) (local.get $end))))
    (v128.any_true (local.get $found)))
  (func (export "copy") (param $to i32) (param $from i32) (param $len i32)
    (memory.copy (local.get $to) (local.get $from) (local.get $len))))
