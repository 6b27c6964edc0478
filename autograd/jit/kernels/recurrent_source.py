"""The C of recurrent networks: one text forwards, one for the gradient.

A line that ends in //lstm, //gru or //rnn is for that network alone, and so with these:
    //sum    one sum for both products: all but the GRU
    //only   steps have a condition
    //input  the input is x (N, T, C)
    //table  the input is rows of a table (V, C)
"""

from __future__ import annotations

__all__ = ["FORWARD", "GRADIENT"]

FORWARD = """\
/* $title */
$head {
    const long N = $N, T = $T, C = $C, H = $H, Z = $Z; /* Z: gates x H */
    const long V = $V; /* rows of the table */ //table
$scratch
    gemm_pack_n_$f(Z, C, w, Z, packed_w);
    gemm_pack_n_$f(Z, H, u, Z, packed_u);
    gemm_np_$f(V, Z, C, table, C, packed_w, sums, Z, b, 0); /* each row's x w + b */ //table
    for (long first = begin, n; first < end; first += n) { /* n samples, through all steps */
        n = end - first < $samples ? end - first : $samples;
        memcpy(states + first * H, h0 + first * H, n * H * sizeof($real));
        memcpy(cells + first * H, c0 + first * H, n * H * sizeof($real)); //lstm
        for (long from = 0, to; from < T; from = to) { /* z = x w + b of some steps at once */
            to = T - from < $rows / n ? T : from + $rows / n;
            for (long s = from; s < to; s++)
                for (long i = 0; i < n; i++) {
                    const long row = (s - from) * n + i, at = (first + i) * T + $t;
                    copy_row_$f(C, x + at * C, xs + row * C); //input
                    copy_row_$f(Z, sums + place_of(ids[at], V) * Z, z + row * Z); //table
                }
            gemm_np_$f((to - from) * n, Z, C, xs, C, packed_w, z, Z, b, 0); //input
            for (long s = from; s < to; s++) {
                const $real *hs = states + (s * N + first) * H;
                $real *zs = z + (s - from) * n * Z;
                gemm_np_$f(n, Z, H, hs, H, packed_u, zs, Z, zs, Z); /* z += h u */ //sum
                gemm_np_$f(n, Z, H, hs, H, packed_u, q, Z, b + Z, 0); /* q = h u + b */ //gru
                for (long i = 0; i < n; i++) {
                    const long row = s * N + first + i, next = row + N;
                    const long at = (first + i) * T + $t;
                    if (!condition[at]) { /* all stays as it was */ //only
                        copy_row_$f(H, states + row * H, states + next * H); //only
                        copy_row_$f(H, cells + row * H, cells + next * H); //only //lstm
                        copy_row_$f(H, states + row * H, y + at * H); //only
                        continue; //only
                    } //only
                    lstm_gates_$f(H, zs + i * Z, cells + row * H, gates + row * Z, //lstm
                                   cells + next * H, states + next * H); //lstm
                    gru_gates_$f(H, zs + i * Z, q + i * Z, states + row * H, //gru
                                  gates + row * 4 * H, states + next * H); //gru
                    rnn_${activation}_$f(H, zs + i * Z, states + next * H); //rnn
                    copy_row_$f(H, states + next * H, y + at * H);
                }
            }
        }
        memcpy(h + first * H, states + (T * N + first) * H, n * H * sizeof($real));
        memcpy(c + first * H, cells + (T * N + first) * H, n * H * sizeof($real)); //lstm
    }
}
"""

GRADIENT = """\
/* $title: the gradients of all inputs, back through time */
$head {
    const long N = $N, T = $T, C = $C, H = $H, Z = $Z; /* Z: gates x H */
    const long V = $V; /* rows of the table */ //table
$scratch
    char *product = work + $product; /* scratch memory of a product */
    _Static_assert(GEMM_WORK <= $gemm_work, "scratch memory of a product");
    gemm_pack_t_$f(C, Z, w, Z, packed_w);
    gemm_pack_t_$f(H, Z, u, Z, packed_u);
    clear_row_$f(V * Z, sums); /* what flows into x w + b of each row */ //table
    for (long first = begin, n; first < end; first += n) { /* n samples, through all steps */
        n = end - first < $samples ? end - first : $samples;
        memcpy(dh, gh + first * H, n * H * sizeof($real));
        memcpy(dc, gc + first * H, n * H * sizeof($real)); //lstm
        for (long to = T, from; to > 0; to = from) { /* some steps, and then their sums */
            from = to < $rows / n ? 0 : to - $rows / n;
            for (long s = to - 1; s >= from; s--) {
                $real *dzs = dz + (s - from) * n * Z;
                $real *dqs = dq + (s - from) * n * Z; //gru
                for (long i = 0; i < n; i++) {
                    const long row = s * N + first + i, at = (first + i) * T + $t;
                    if (!condition[at]) { /* all flows on to the step before */ //only
                        add_row_$f(H, gy + at * H, dh + i * H); //only
                        clear_row_$f(Z, dzs + i * Z); //only
                        clear_row_$f(Z, dqs + i * Z); //only //gru
                        continue; //only
                    } //only
                    lstm_gates_grad_$f(H, gates + row * Z, cells + row * H, //lstm
                                        cells + (row + N) * H, gy + at * H, dh + i * H, //lstm
                                        dc + i * H, dzs + i * Z); //lstm
                    gru_gates_grad_$f(H, gates + row * 4 * H, states + row * H, gy + at * H, //gru
                                       dh + i * H, dzs + i * Z, dqs + i * Z); //gru
                    rnn_${activation}_grad_$f(H, states + (row + N) * H, gy + at * H, //rnn
                                      dh + i * H, dzs + i * Z); //rnn
                    clear_row_$f(H, dh + i * H); //only //sum
                }
                gemm_np_$f(n, H, Z, ${q}s, Z, packed_u, dh, H, $dh, H); /* dh = dz u^T */
            }
            const long rows = (to - from) * n;
            gemm_np_$f(rows, C, Z, dz, Z, packed_w, xs, C, NULL, 0); /* gx = dz w^T */ //input
            for (long s = from; s < to; s++)
                for (long i = 0; i < n; i++) {
                    const long row = (s - from) * n + i, at = (first + i) * T + $t;
                    copy_row_$f(C, xs + row * C, gx + at * C); //input
                    copy_row_$f(C, x + at * C, xs + row * C); //input
                    add_row_$f(Z, dz + row * Z, sums + place_of(ids[at], V) * Z); //table
                }
            gemm_tn_$f(C, Z, rows, xs, C, dz, Z, gw, Z, gw, Z, product); /* gw += x^T dz */ //input
            gemm_column_sum_$f(rows, Z, dz, Z, gb, 1); //input
            const $real *before = n == N ? states + from * N * H : hs;
            for (long s = from; n < N && s < to; s++) /* some samples are not all of a step */
                memcpy(hs + (s - from) * n * H, states + (s * N + first) * H,
                       n * H * sizeof($real));
            gemm_tn_$f(H, Z, rows, before, H, $q, Z, gu, Z, gu, Z, product); /* gu += h^T dz */
            gemm_column_sum_$f(rows, Z, dq, Z, gb + Z, 1); //gru
        }
        memcpy(gh0 + first * H, dh, n * H * sizeof($real));
        memcpy(gc0 + first * H, dc, n * H * sizeof($real)); //lstm
    }
    gemm_np_$f(V, C, Z, sums, Z, packed_w, gtable, C, gtable, C); //table
    gemm_tn_$f(C, Z, V, table, C, sums, Z, gw, Z, gw, Z, product); //table
    gemm_column_sum_$f(V, Z, sums, Z, gb, 1); //table
}
"""
