/*
 * The C side of the perlmod stand-in.
 *
 * Perl's interface consists of macros and reports errors with longjmp. This file
 * turns the macros that are needed into functions, and keeps the jumps away from
 * Rust: whatever may run Perl code or die (fetching magic, dying itself) happens
 * in standin_xsub(), before the Rust code is entered or after it has returned.
 * All other functions here neither run Perl code nor warn nor die; the only
 * failure left to them is exhausted memory, which ends the process.
 *
 * Every function takes the interpreter as an opaque pointer, so that the Rust
 * side is the same for perls with and without multiplicity.
 */
#define PERL_NO_GET_CONTEXT
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"

/* A chain of references longer than this is refused; a cycle ends here, too. */
#define MAX_REFERENCE_CHAIN 512

/* A hash is never given more buckets in advance than this many keys need. */
#define MAX_KEYS_IN_ADVANCE 65536
#define MAX_ITEMS_IN_ADVANCE 65536

#define dPERL(perl) dTHXa(perl); PERL_UNUSED_VAR(perl)

/* ---- calls -------------------------------------------------------------- */

/* The same layout as Call in ffi.rs. */
struct standin_call {
    void *perl;
    SV **args;
    size_t count;
    SSize_t ax;
    SSize_t returned;
    SV *error;
};

typedef void (*standin_body)(struct standin_call *call);

/*
 * A plain copy of a computed scalar ($1, a substr() lvalue, an element that does
 * not exist yet), read once. What perlmod makes of a scalar depends on the type
 * of its body, so the copy gets the abilities the original has.
 */
static SV *plain_copy(pTHX_ SV *sv) {
    SV *copy = sv_mortalcopy_flags(sv, SV_GMAGIC | SV_NOSTEAL);
    SV *target = sv;
    svtype type = SvTYPE(sv);
    int hops = 0;

    if (!SvOK(copy) || SvROK(copy) || SvTYPE(copy) > SVt_PVMG)
        return copy;

    while (type == SVt_PVLV && hops++ < MAX_REFERENCE_CHAIN) {
        target = LvTARG(target);
        if (!target)
            return copy;
        type = SvTYPE(target);
    }

    if (type == SVt_PV || type == SVt_PVIV) {
        STRLEN len;
        const char *pv = SvPV_nomg(copy, len);
        copy = newSVpvn_flags(pv, len, SVs_TEMP | SvUTF8(copy));
    }
    if ((type == SVt_PVIV || type == SVt_PVNV || type == SVt_PVMG) && SvTYPE(copy) < type)
        sv_upgrade(copy, type);
    return copy;
}

/* Magic that computes the value when it is read. Taint is none: it only marks the
 * value, and everything that a daemon reads in taint mode has it. */
static bool is_computed(SV *sv) {
    if (LIKELY(!SvGMAGICAL(sv)))
        return false;
    for (const MAGIC *mg = SvMAGIC(sv); mg; mg = mg->mg_moremagic) {
        if (mg->mg_virtual && mg->mg_virtual->svt_get && mg->mg_type != PERL_MAGIC_taint)
            return true;
    }
    return false;
}

static bool is_tied_scalar(const SV *sv) {
    return mg_find(sv, PERL_MAGIC_tiedscalar) || mg_find(sv, PERL_MAGIC_tiedelem);
}

/*
 * The body of every exported sub; the Rust function is kept in the CV. No Rust
 * frame is alive where this function may die.
 */
XS_INTERNAL(standin_xsub) {
    dXSARGS;
    struct standin_call call;
    standin_body body = (standin_body)CvXSUBANY(cv).any_ptr;
    I32 i;

    for (i = 0; i < items; i++) {
        SV *sv = ST(i);
        /* Tied scalars are left alone and refused when they are looked at. */
        if (UNLIKELY(is_computed(sv)) && SvTYPE(sv) <= SVt_PVLV && !is_tied_scalar(sv)) {
            SV *copy = plain_copy(aTHX_ sv);
            ST(i) = copy; /* the stack may have moved: ST() is evaluated anew */
        }
    }

#ifdef MULTIPLICITY
    call.perl = aTHX;
#else
    call.perl = NULL;
#endif
    call.args = PL_stack_base + ax;
    call.count = (size_t)items;
    call.ax = ax;
    call.returned = 0;
    call.error = NULL;

    body(&call);

    if (call.error)
        croak_sv(call.error);
    XSRETURN(call.returned);
}

/* Installs a sub. Called while a library is loaded; may warn or die only for
 * lack of memory. */
void standin_install(void *perl, const char *name, standin_body body,
                     const char *file, const char *prototype) {
    dPERL(perl);
    CV *cv = newXS_flags(name, standin_xsub, file, prototype, 0);
    CvXSUBANY(cv).any_ptr = (void *)body;
}

/* Discards the arguments of the boot function and ends it. */
SSize_t standin_boot_enter(void *perl) {
    dPERL(perl);
    SSize_t ax = POPMARK;
    PL_stack_sp = PL_stack_base + ax;
    return ax;
}

/* Dies with a mortal value. The caller has no values that need dropping. */
void standin_die(void *perl, SV *error) {
    dPERL(perl);
    croak_sv(error);
}

/* Puts the results where the arguments were; takes over one count of each. */
void standin_return(struct standin_call *call, SV **values, size_t count) {
    dPERL(call->perl);
    SSize_t at = call->ax;
    size_t i;

    if (PL_stack_max - (PL_stack_base + at) < (SSize_t)count + 1)
        (void)stack_grow(PL_stack_sp, PL_stack_base + at, (SSize_t)count + 1);
    for (i = 0; i < count; i++)
        PL_stack_base[at + i] = sv_2mortal(values[i]);
    call->returned = (SSize_t)count;
}

/* ---- interpreter -------------------------------------------------------- */

/* The interpreter of this thread, or NULL if it has none. */
void *standin_current(void) {
#ifdef MULTIPLICITY
    return PERL_GET_CONTEXT;
#else
    static char only_one;
    return &only_one;
#endif
}

/* 1: void, 2: scalar, 3: list. */
U8 standin_gimme(void *perl) {
    dPERL(perl);
    switch (GIMME_V) {
    case G_VOID:
        return 1;
    case G_LIST:
        return 3;
    default:
        return 2;
    }
}

/* ---- words -------------------------------------------------------------- */

/*
 * The same few short texts stand in a large result thousands of times. One that
 * comes for the second time is kept while the result is built, in perl's table of
 * hash keys, as perl's own keys() gives strings out: the many values share it,
 * which spares memory for each. A text that needs the place of another one takes
 * it. (For keys the same was tried: perl looks into its table all the same. So were
 * copies of a hash that has the keys: they wait longer for memory than perl takes
 * to look up each key.)
 */
#define MAX_WORD_LEN 16
#define WORDS 128 /* a power of two */

static __thread struct {
    struct {
        char text[MAX_WORD_LEN];
        U8 len;   /* 0: none yet */
        SV *word; /* NULL: came only once */
    } places[WORDS];
    unsigned depth; /* results under construction: one may be part of another */
} known;

void standin_words_begin(void) {
    known.depth++;
}

void standin_words_end(void *perl) {
    dPERL(perl);
    unsigned at;
    if (--known.depth > 0)
        return;
    for (at = 0; at < WORDS; at++) {
        known.places[at].len = 0;
        SvREFCNT_dec(known.places[at].word);
        known.places[at].word = NULL;
    }
}

/* The word that has this text, which is not flagged as UTF-8; NULL if there is none. */
static SV *word(pTHX_ const char *pv, size_t len) {
    unsigned at;

    if (known.depth == 0 || len == 0 || len > MAX_WORD_LEN)
        return NULL;
    at = ((U8)pv[0] * 31 + (U8)pv[len - 1] * 7 + (U8)pv[len / 2] + (unsigned)len) % WORDS;
    if (LIKELY(known.places[at].len == len && memEQ(known.places[at].text, pv, len))) {
        if (UNLIKELY(!known.places[at].word))
            known.places[at].word = newSVpvn_share(pv, (I32)len, 0);
        return known.places[at].word;
    }
    SvREFCNT_dec(known.places[at].word);
    known.places[at].word = NULL;
    known.places[at].len = (U8)len;
    Copy(pv, known.places[at].text, len, char);
    return NULL;
}

/* ---- making values ------------------------------------------------------ */

/*
 * Perl takes what it makes from lists of free bodies, which in a process that
 * has run for a while lie scattered all over its memory: each one would be waited
 * for. So the next one is asked for while there is something else to do. This
 * only hints at an address: if perl keeps its lists otherwise, nothing happens.
 */
#define FREE_HASH_ENTRIES SVt_NULL /* the list of a type that has no body */

#define ASK_FOR_NEXT(type) (__builtin_prefetch(PL_sv_root), __builtin_prefetch(PL_body_roots[type]))

SV *standin_undef(void *perl) {
    dPERL(perl);
    return &PL_sv_undef;
}

/* Marks the absence of a value; no data can contain it. */
SV *standin_nothing(void *perl) {
    dPERL(perl);
    return &PL_sv_placeholder;
}

SV *standin_new_iv(void *perl, IV value) {
    dPERL(perl);
    SV *sv = newSViv(value);
    ASK_FOR_NEXT(SVt_IV);
    return sv;
}

SV *standin_new_uv(void *perl, UV value) {
    dPERL(perl);
    return newSVuv(value);
}

SV *standin_new_nv(void *perl, NV value) {
    dPERL(perl);
    return newSVnv(value);
}

SV *standin_new_string(void *perl, const char *pv, size_t len, bool utf8) {
    dPERL(perl);
    SV *same = utf8 ? NULL : word(aTHX_ pv, len);
    SV *sv = same ? newSVhek(SvSHARED_HEK_FROM_PV(SvPVX_const(same)))
                  : newSVpvn_flags(pv, len, utf8 ? SVf_UTF8 : 0);
    ASK_FOR_NEXT(SVt_PV);
    return sv;
}

SV *standin_inc(void *perl, SV *sv) {
    PERL_UNUSED_VAR(perl);
    return SvREFCNT_inc_simple_NN(sv);
}

void standin_dec(void *perl, SV *sv) {
    dPERL(perl);
    SvREFCNT_dec_NN(sv);
}

SV *standin_mortal(void *perl, SV *sv) {
    dPERL(perl);
    return sv_2mortal(sv);
}

/* Whether this can stand in a list or in a structure: no bare array or hash. */
bool standin_is_scalar(SV *sv) {
    return SvTYPE(sv) < SVt_PVAV || isREGEXP(sv);
}

SV *standin_new_ref(void *perl, SV *referent) {
    dPERL(perl);
    SV *sv = newRV_noinc(referent);
    ASK_FOR_NEXT(SVt_IV);
    return sv;
}

SV *standin_new_array(void *perl, size_t items) {
    dPERL(perl);
    AV *av = newAV();
    if (items > MAX_ITEMS_IN_ADVANCE)
        items = MAX_ITEMS_IN_ADVANCE;
    if (items > 0)
        av_extend(av, (SSize_t)items - 1);
    return (SV *)av;
}

/* Takes over the count of the item. */
void standin_array_push(void *perl, SV *array, SV *item) {
    dPERL(perl);
    AV *av = (AV *)array;
    SSize_t next = AvFILLp(av) + 1;
    if (LIKELY(next <= AvMAX(av))) {
        AvARRAY(av)[next] = item;
        AvFILLp(av) = next;
    } else {
        av_push(av, item);
    }
}

SV *standin_new_hash(void *perl, size_t keys) {
    dPERL(perl);
    HV *hv = newHV();
    ASK_FOR_NEXT(SVt_PVHV);
    if (keys > MAX_KEYS_IN_ADVANCE)
        keys = MAX_KEYS_IN_ADVANCE;
    /* perl splits a hash that is four fifths full */
    if (keys + (keys >> 2) > HvMAX(hv))
        hv_ksplit(hv, (IV)(keys + (keys >> 2) + 1));
    return (SV *)hv;
}

/* Takes over the count of the value. The key is at most I32_MAX bytes long. */
void standin_hash_store(void *perl, SV *hash, const char *key, size_t len,
                        bool utf8, SV *value) {
    dPERL(perl);
    (void)hv_common((HV *)hash, NULL, key, len, utf8 ? HVhek_UTF8 : 0,
                    HV_FETCH_ISSTORE | HV_FETCH_JUST_SV, value, 0);
    ASK_FOR_NEXT(FREE_HASH_ENTRIES);
}

/* ---- objects ------------------------------------------------------------ */

/* A value of Rust's that hangs on a hash. */
struct standin_object {
    void *value;
    void (*drop)(void *value);
    const void *spec; /* of which type the value is */
};

static int object_free(pTHX_ SV *sv, MAGIC *mg) {
    struct standin_object *object = (struct standin_object *)mg->mg_ptr;
    PERL_UNUSED_VAR(sv);
    if (object) {
        mg->mg_ptr = NULL;
        object->drop(object->value);
        Safefree(object);
    }
    return 0;
}

#ifdef USE_ITHREADS
/* The copy in a new thread has no value. */
static int object_dup(pTHX_ MAGIC *mg, CLONE_PARAMS *param) {
    PERL_UNUSED_VAR(param);
    mg->mg_ptr = NULL;
    return 0;
}
#else
#define object_dup NULL
#endif

static const MGVTBL object_magic = { NULL, NULL, NULL, NULL, object_free, NULL, object_dup, NULL };

/* A new object of the class, whose name is UTF-8; it takes over the value. */
SV *standin_new_object(void *perl, const char *class, size_t len, void *value,
                       void (*drop)(void *value), const void *spec) {
    dPERL(perl);
    HV *hv = newHV();
    SV *sv = newRV_noinc((SV *)hv);
    struct standin_object *object;
    MAGIC *mg;

    Newx(object, 1, struct standin_object);
    object->value = value;
    object->drop = drop;
    object->spec = spec;
    mg = sv_magicext((SV *)hv, NULL, PERL_MAGIC_ext, &object_magic, (const char *)object, 0);
    mg->mg_flags |= MGf_DUP;
    return sv_bless(sv, gv_stashpvn(class, (U32)len, GV_ADD | SVf_UTF8));
}

/* The value of an object, or NULL if it has none of this type. */
void *standin_object(void *perl, SV *sv, const void *spec, bool *is_reference) {
    dPERL(perl);
    MAGIC *mg;

    *is_reference = SvROK(sv);
    mg = SvROK(sv) ? mg_findext(SvRV(sv), PERL_MAGIC_ext, &object_magic) : NULL;
    if (!mg || !mg->mg_ptr || ((struct standin_object *)mg->mg_ptr)->spec != spec)
        return NULL;
    return ((struct standin_object *)mg->mg_ptr)->value;
}

/* ---- looking at values -------------------------------------------------- */

/* The same numbers as in view.rs. */
enum want {
    WANT_STRING = 0,
    WANT_INTEGER = 1,
    WANT_FLOAT = 2,
    WANT_BYTES = 3,
    WANT_BOOL = 4,
    WANT_NAME = 5
};

enum tag {
    TAG_UNDEF = 0,
    TAG_ASCII = 1,     /* pv, len */
    TAG_UTF8 = 2,      /* pv, len: perl's UTF-8, not yet checked */
    TAG_INTEGER = 3,   /* iv */
    TAG_FLOAT = 4,     /* nv */
    TAG_BYTES = 5,     /* pv, len */
    TAG_BOOL = 6,      /* iv */
    TAG_ARRAY = 7,     /* sv, len */
    TAG_HASH = 8,      /* sv, len */
    TAG_NOT_BOOL = 9,
    TAG_NOT_NAME = 10,
    TAG_WIDE = 11,     /* characters above 0xff where bytes are wanted */
    TAG_OTHER = 12,    /* iv: type of the body */
    TAG_MAGIC = 13,    /* tied, or computed when it is read */
    TAG_CHAIN = 14     /* too many references to references */
};

struct standin_view {
    SV *sv;
    const char *pv;
    size_t len;
    IV iv;
    NV nv;
};

#define IS_INTEGER 1
#define IS_FLOAT 2
#define IS_STRING 4

/* What the body of a scalar can hold decides, not what it holds right now. */
static unsigned abilities(svtype type) {
    switch (type) {
    case SVt_IV:
        return IS_INTEGER;
    case SVt_NV:
        return IS_INTEGER | IS_FLOAT;
    case SVt_PV:
        return IS_STRING;
    case SVt_PVIV:
        return IS_STRING | IS_INTEGER;
    case SVt_PVNV:
    case SVt_PVMG:
        return IS_STRING | IS_INTEGER | IS_FLOAT;
    default:
        return 0;
    }
}

/* SvIV and SvNV for plain scalars, except that they neither warn about strings
 * that are no numbers (a warning may be fatal) nor change the scalar. */
static NV plain_nv(pTHX_ SV *sv) {
    if (SvNOKp(sv))
        return SvNVX(sv);
    if (SvIOKp(sv))
        return SvIsUV(sv) ? (NV)SvUVX(sv) : (NV)SvIVX(sv);
    if (SvPOKp(sv))
        return Atof(SvPVX_const(sv));
    return 0.0;
}

static IV plain_iv(pTHX_ SV *sv) {
    NV nv;

    if (SvIOKp(sv))
        return SvIsUV(sv) ? (IV)SvUVX(sv) : SvIVX(sv);
    if (!SvNOKp(sv) && SvPOKp(sv)) {
        UV uv;
        int kind = grok_number(SvPVX_const(sv), SvCUR(sv), &uv);
        if ((kind & (IS_NUMBER_IN_UV | IS_NUMBER_NOT_INT)) == IS_NUMBER_IN_UV) {
            if (!(kind & IS_NUMBER_NEG))
                return (IV)uv;
            if (uv <= (UV)IV_MAX + 1)
                return (IV)(0 - uv);
        }
    }
    nv = plain_nv(aTHX_ sv);
    if (Perl_isnan(nv))
        return 0;
    if (nv < (NV)IV_MAX + 0.5)
        return I_V(nv);
    return (IV)U_V(nv);
}

/* The UTF-8 of a byte string with bytes above 0x7f, in a mortal copy. */
static const char *upgraded(pTHX_ const char *pv, size_t *len) {
    SV *copy = newSVpvn_flags(pv, *len, SVs_TEMP);
    STRLEN out;
    sv_utf8_upgrade_nomg(copy);
    pv = SvPV_nomg_const(copy, out);
    *len = out;
    return pv;
}

/* Numbers that stand where a string is wanted are formatted in a mortal copy. */
static SV *with_string(pTHX_ SV *sv) {
    SV *copy;
    STRLEN len;
    if (LIKELY(SvPOK(sv)))
        return sv;
    /* without SV_NOSTEAL a temporary would lose its string to the copy */
    copy = sv_mortalcopy_flags(sv, SV_NOSTEAL);
    (void)SvPV_nomg(copy, len);
    return copy;
}

static unsigned view_string(pTHX_ SV *sv, struct standin_view *out) {
    sv = with_string(aTHX_ sv);
    out->pv = SvPVX_const(sv);
    out->len = SvCUR(sv);
    if (SvUTF8(sv))
        return TAG_UTF8;
    if (is_utf8_invariant_string((const U8 *)out->pv, out->len))
        return TAG_ASCII;
    out->pv = upgraded(aTHX_ out->pv, &out->len);
    return TAG_UTF8;
}

static unsigned view_bytes(pTHX_ SV *sv, struct standin_view *out) {
    size_t i;
    sv = with_string(aTHX_ sv);
    out->pv = SvPVX_const(sv);
    out->len = SvCUR(sv);
    if (SvUTF8(sv)) {
        for (i = 0; i < out->len; i++) {
            if ((U8)out->pv[i] > 0xc3) /* starts a character above 0xff */
                return TAG_WIDE;
        }
    }
    return TAG_BYTES;
}

/*
 * Follows references, and reports what is found in the form that is wanted, or
 * in the next best one that its body offers. Overloading is not asked.
 */
unsigned standin_view(void *perl, SV *sv, unsigned want, struct standin_view *out) {
    dPERL(perl);
    unsigned can;
    int hops = 0;

    while (SvROK(sv)) {
        if (UNLIKELY(is_computed(sv)))
            return TAG_MAGIC;
        if (UNLIKELY(++hops > MAX_REFERENCE_CHAIN))
            return TAG_CHAIN;
        sv = SvRV(sv);
    }
    out->sv = sv;

    switch (SvTYPE(sv)) {
    case SVt_PVAV:
        if (UNLIKELY(SvMAGICAL(sv))
            && (SvGMAGICAL(sv) || mg_find(sv, PERL_MAGIC_tied)
                || mg_find(sv, PERL_MAGIC_regdata)))
            return TAG_MAGIC;
        out->len = (size_t)(AvFILLp((AV *)sv) + 1);
        return TAG_ARRAY;
    case SVt_PVHV:
        if (UNLIKELY(SvMAGICAL(sv)) && (SvGMAGICAL(sv) || mg_find(sv, PERL_MAGIC_tied)))
            return TAG_MAGIC;
        out->len = HvTOTALKEYS((HV *)sv);
        return TAG_HASH;
    default:
        break;
    }

    if (UNLIKELY(is_computed(sv)))
        return TAG_MAGIC;
    if (!SvOK(sv) || SvTYPE(sv) == SVt_PVCV) { /* code counts as undefined */
        if (want == WANT_BOOL) {
            out->iv = 0;
            return TAG_BOOL;
        }
        return want == WANT_NAME ? TAG_NOT_NAME : TAG_UNDEF;
    }
    can = abilities(SvTYPE(sv));
    if (UNLIKELY(can == 0)) {
        out->iv = (IV)SvTYPE(sv);
        return TAG_OTHER;
    }

    switch (want) {
    case WANT_INTEGER:
        if (can & IS_INTEGER)
            goto integer;
        if (can & IS_FLOAT)
            goto floating;
        break;
    case WANT_FLOAT:
        if (can & IS_FLOAT)
            goto floating;
        if (can & IS_INTEGER)
            goto integer;
        break;
    case WANT_BYTES:
        if (can & IS_STRING)
            return view_bytes(aTHX_ sv, out);
        break;
    case WANT_BOOL:
        if (!(can & (IS_INTEGER | IS_FLOAT)))
            return TAG_NOT_BOOL;
        out->iv = SvTRUE_nomg_NN(sv) ? 1 : 0;
        return TAG_BOOL;
    case WANT_NAME:
        if (!(can & IS_STRING))
            return TAG_NOT_NAME;
        break;
    default:
        break;
    }

    if (can & IS_STRING)
        return view_string(aTHX_ sv, out);
    if (can & IS_FLOAT)
        goto floating;
integer:
    out->iv = plain_iv(aTHX_ sv);
    return TAG_INTEGER;
floating:
    out->nv = plain_nv(aTHX_ sv);
    return TAG_FLOAT;
}

/* An element of an array that standin_view() let pass; NULL if there is none. */
SV *standin_array_get(SV *array, size_t index) {
    AV *av = (AV *)array;
    if ((SSize_t)index > AvFILLp(av))
        return NULL;
    return AvARRAY(av)[index];
}

/* ---- walking hashes ----------------------------------------------------- */

struct standin_walk {
    HV *hv;
    HE *entry;
    size_t bucket;
};

struct standin_entry {
    SV *value;
    const char *raw; /* the key as it is stored */
    size_t raw_len;
    const char *pv; /* the key as a string: ASCII or perl's UTF-8 */
    size_t len;
    unsigned flags; /* 1: stored as UTF-8; 2: stored as Latin-1, but was UTF-8 */
};

/*
 * Starts a walk. The buckets are visited directly: nothing changes the hash in
 * the meantime, and its own iterator costs memory for every hash it is used on.
 * An iterator that is under way (each) is reset, as perlmod does by using it.
 */
void standin_walk_start(void *perl, SV *hash, struct standin_walk *walk) {
    dPERL(perl);
    HV *hv = (HV *)hash;
    if (HvRITER_get(hv) != -1)
        (void)hv_iterinit(hv);
    walk->hv = hv;
    walk->entry = NULL;
    walk->bucket = (size_t)HvMAX(hv) + 1;
}

/* The tag of the next key (TAG_ASCII or TAG_UTF8), or TAG_UNDEF at the end. */
unsigned standin_walk_next(void *perl, struct standin_walk *walk,
                           struct standin_entry *out) {
    dPERL(perl);
    HE **buckets = HvARRAY(walk->hv);
    HE *entry = walk->entry ? HeNEXT(walk->entry) : NULL;

    if (!buckets)
        return TAG_UNDEF;
    for (;;) {
        while (entry && HeVAL(entry) == &PL_sv_placeholder)
            entry = HeNEXT(entry);
        if (entry)
            break;
        if (walk->bucket == 0)
            return TAG_UNDEF;
        entry = buckets[--walk->bucket];
    }
    walk->entry = entry;
    out->value = HeVAL(entry);
    out->pv = out->raw = HeKEY(entry);
    out->len = out->raw_len = (size_t)HeKLEN(entry);
    out->flags = (HeKUTF8(entry) ? 1 : 0) | (HeKWASUTF8(entry) ? 2 : 0);
    if (HeKUTF8(entry))
        return TAG_UTF8;
    if (is_utf8_invariant_string((const U8 *)out->pv, out->len))
        return TAG_ASCII;
    out->pv = upgraded(aTHX_ out->pv, &out->len);
    return TAG_UTF8;
}

/* How perl writes a number as a hash key: a mortal string. */
const char *standin_float_key(void *perl, NV value, size_t *len) {
    dPERL(perl);
    SV *sv = sv_2mortal(newSVnv(value));
    STRLEN out;
    const char *pv = SvPV_nomg_const(sv, out);
    *len = out;
    return pv;
}
