#!/usr/bin/perl

# PVE::Multipath::Config through the built library: recordings of the real PVE::SectionConfig, and all
# changes with their errors. No function changes its arguments.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Digest::SHA qw(sha1_hex);
use JSON::PP ();
use Storable qw(dclone);
use Test::More;

use MultipathTest qw($root from_json slurp warnings_of);
use PVE::Multipath::Config;

my $double = "$FindBin::Bin/lib/double";
my $json = JSON::PP->new()->canonical()->allow_nonref();

my sub parse($raw) {
    return PVE::Multipath::Config->parse_config('multipath.cfg', $raw);
}

my sub parse_quietly($raw) {
    my ($cfg) = warnings_of(sub { parse($raw) });
    return $cfg;
}

my sub text_of($cfg) {
    return PVE::Multipath::Config->write_config('multipath.cfg', $cfg);
}

# Everything in a structure with its kind, so that 5 and '5' differ. Of a copy: to print a number
# makes it a text as well. So does copying one of more than 64 bits, which is therefore done last.
my sub frozen($data) {
    return $json->encode(dclone([$data]));
}

# --- the recordings ---

my sub recorded($name) {
    my @lines = split(/\n/, slurp("$root/fixtures/sectionconfig/$name"));
    return map { from_json($_) } @lines;
}

# In the recordings, numbers went through JSON: those beyond 2^63 became texts.
my sub as_recorded($value) {
    return $value if !defined($value) || "$value" !~ m/\A(?:[0-9]{19,}|Inf)\z/;
    return "$value" if length("$value") > 19 || "$value" gt '9223372036854775807';
    return $value;
}

my sub section_as_recorded($section) {
    my $copy = dclone($section);
    return { map { $_ => as_recorded($copy->{$_}) } keys %$copy };
}

my %expected = map { $_->{name} => $_ } map { recorded("$_.expected.jsonl") } qw(parse random);
my @parse_cases = map { recorded("$_.input.jsonl") } qw(parse random);
is(scalar(@parse_cases), 243 + 300, 'all recorded texts');

my sub parse_case($case) {
    my $want = $expected{ $case->{name} };
    my $raw = $case->{raw};
    my ($cfg, @warnings) = warnings_of(sub { parse($raw) });
    my $ids = $cfg->{ids};

    my $complete = text_of($cfg);
    my $understood = { %$cfg };
    delete $understood->{kept};
    is(text_of($understood), $want->{written}, "$case->{name}: written");
    is($complete, $want->{written}, "$case->{name}: nothing added") if !defined($cfg->{kept});

    my $got = {
        ids => { map { $_ => section_as_recorded($ids->{$_}) } keys %$ids },
        order => $cfg->{order},
        digest => $cfg->{digest},
        errors => $cfg->{errors} // [],
        # without warnings of Perl itself
        warnings => \@warnings,
    };
    my $wanted = { map { $_ => $want->{$_} } keys %$got };
    $wanted->{warnings} = [grep { !m/^Use of uninitialized/ } $want->{warnings}->@*];

    my $same = frozen($got) eq frozen($wanted);
    is_deeply($got, $wanted, "$case->{name}: read") if !$same;
    ok($same, "$case->{name}: read, also the kinds of values");

    ok(!exists($cfg->{errors}), "$case->{name}: no key 'errors'") if !$want->{errors}->@*;

    my $again = parse_quietly($complete);
    is(text_of($again), $complete, "$case->{name}: written again");
    # PVE::SectionConfig writes larger numbers in a form that it does not read
    my $is_large = $complete =~ m/^\t\S+ (?:[0-9.]+e\+[0-9]+|Inf)$/m;
    is(frozen($again->{ids}), frozen($ids), "$case->{name}: read again") if !$is_large;
}
parse_case($_) for @parse_cases;

# Where ours refuses what PVE::SectionConfig wrote, its text would be read back as something else.
my $refused = {
    'W17 LF in id' => qr/^section 'a\nb': an ID/,
    'W18 blank in id' => qr/^section 'a b': an ID/,
    'W19 empty id' => qr/^section '': an ID/,
    'W24 value 0' => qr/^section 'a': property 'rr-min-io-rq': .*minimum value of 1/,
    'W25 invalid values are not checked' => qr/^section 'a': property 'alias'/,
    'W27 leading/trailing blanks kept' => qr/^section 'a': property 'path-selector' has blanks/,
    'W28 blank value' => qr/^section 'a': property 'path-selector' has blanks/,
    'W29 comment' => qr/^section 'a': property 'comment'/,
    'W32 disable' => qr/^section 'a': property 'disable'/,
    'W34 float' => qr/^section 'a': property 'rr-min-io-rq': type check/,
    'W36 array value' => qr/^section 'a': property 'alias'/,
    'W38 wide' => qr/^section 'a': property 'path-selector'.* beyond one byte/,
};
# there in the order of Perl's hash, here by ID
my $by_id = {
    'W03 two new (hash order!)' =>
        ["wwid: b\n\nwwid: n1\n\nwwid: n2\n\n", { b => 1, n1 => 2, n2 => 3 }],
};

my %wanted = map { $_->{name} => $_ } recorded('write.expected.jsonl');
my @write_cases = recorded('write.input.jsonl');
# By value: perlmod reads a number that JSON::PP has made as text, and leaves it so.
my %as_given = map { $_->{name} => $_->{ids} } recorded('write.input.jsonl');
is(scalar(@write_cases), 46, 'all recorded configurations');

my sub write_case($case) {
    my $name = $case->{name};
    my $want = $wanted{$name};
    # a number that was never a text, which JSON::PP's was
    $case->{ids}->{a}->{'rr-min-io-rq'} = 1e20 if $name eq 'W33 big number';
    my $cfg = { ids => $case->{ids}, order => $case->{order} };

    my ($text, @warnings) = warnings_of(sub { eval { text_of($cfg) } });
    my $err = $@;
    is_deeply(\@warnings, [], "$name: no warnings");

    if (my $message = $refused->{$name} // ($want->{die} && qr/\Q$want->{die}\E\z/)) {
        is($text, undef, "$name: refused");
        like($err, $message, "$name: for this reason");
        like($err, qr/\Asection '.*\n\z/s, "$name: with the section");
        is_deeply($case->{ids}, $as_given{$name}, "$name: left as it was");
        return;
    }
    my ($written, $order) = ($by_id->{$name} // [$want->{written}, $want->{order}])->@*;
    is($text, $written, "$name: written") or diag($err);
    is_deeply($cfg->{order} // {}, $order // { a => 1 }, "$name: positions");
    is_deeply($case->{ids}, $as_given{$name}, "$name: sections as they were");
}
write_case($_) for @write_cases;

# --- bytes and characters ---

{
    my $cfg = parse(undef);
    is_deeply(
        $cfg, { ids => {}, order => {}, digest => 'da39a3ee5e6b4b0d3255bfef95601890afd80709' },
        'undef is an empty file',
    );
    is(text_of($cfg), '', 'which is written as one');
    is_deeply(parse(''), $cfg, 'as the empty text');

    # 0x85 and 0xa0 are white space in Unicode, and not here
    my $raw = "wwid: a\xc3\xa4\n\tpath-selector \xa0\xc3\xa4\xff\x85\n\npool: \xe4\n\t\xe4\n\n";
    my $bytes = parse_quietly($raw);
    is_deeply(
        $bytes->{ids},
        { "a\xc3\xa4" => { type => 'wwid', 'path-selector' => "\xa0\xc3\xa4\xff\x85" } },
        'a byte is a character',
    );
    is($bytes->{digest}, sha1_hex($raw), 'the digest is of the bytes');

    my @flagged;
    my $look = sub($look, $value) {
        if (ref($value) eq 'HASH') {
            push @flagged, grep { utf8::is_utf8($_) } keys %$value;
            $look->($look, $_) for values %$value;
        } elsif (ref($value) eq 'ARRAY') {
            $look->($look, $_) for @$value;
        } elsif (defined($value)) {
            push @flagged, $value if utf8::is_utf8($value) && $value =~ m/[^\x00-\x7f]/;
        }
    };
    $look->($look, $bytes);
    is_deeply(\@flagged, [], 'no text is flagged as characters');
    my $text = text_of($bytes);
    is($text, $raw, 'written as it was');
    ok(!utf8::is_utf8($text), 'as bytes');

    my $upgraded = $raw;
    utf8::upgrade($upgraded);
    is(frozen(parse_quietly($upgraded)), frozen($bytes), 'bytes that Perl stores otherwise');
    is(eval { parse("$raw\x{20ac}"); 1 }, undef, 'characters beyond a byte are an error');
    like($@, qr/\AWide character in configuration\b[^\n]*\n\z/, 'that says so');

    my (undef, @warnings) = warnings_of(sub { parse("wwid: \xe4\n\t\xc3\n") });
    is_deeply(
        \@warnings,
        ["file multipath.cfg line 2 (section '\xe4') - unable to parse value of '\xc3':"
            . " unknown property type\n"],
        'warnings as bytes, too',
    );
    for my $name ('other', undef) {
        my $parse = sub { PVE::Multipath::Config->parse_config($name, "x\n") };
        my $file = $name // '';
        is_deeply(
            [(warnings_of($parse))[1]], ["file $file line 1 - ignore config line: x\n"],
            "with the name of the file, '$file'",
        );
    }
}

# --- calls as PVE's callers make them ---

my $file = <<'CFG';
defaults: defaults
	no-path-retry queue
	polling-interval 10

wwid: 3600b
	alias beta
	no-path-retry 18

wwid: 3600a

CFG

{
    # pmxcfs's cache calls these with more arguments than they need
    my $cfg = PVE::Multipath::Config->parse_config('multipath.cfg', $file, 1, {});
    is(PVE::Multipath::Config->write_config('multipath.cfg', $cfg, 1), $file, 'further arguments');

    my $clone = dclone($cfg);
    is(frozen($clone), frozen($cfg), 'can be cloned');
    is(text_of($clone), $file, 'and the clone written');
    is(frozen(PVE::Multipath::Config::effective($clone)),
        frozen(PVE::Multipath::Config::effective($cfg)), 'and asked');

    my $new = dclone($cfg);
    $new->{ids}->{'3600d'} = { type => 'wwid' };
    $new->{ids}->{'3600c'} = { type => 'wwid', alias => 'gamma' };
    is(
        text_of($new), "${file}wwid: 3600c\n\talias gamma\n\nwwid: 3600d\n\n",
        'new sections go to the end, sorted',
    );
    is_deeply(
        $new->{order}, { defaults => 1, '3600b' => 2, '3600a' => 3, '3600c' => 4, '3600d' => 5 },
        'their positions are noted in the hash that was handed in',
    );
    my $no_order = { ids => { 'x1' => { type => 'wwid' } } };
    is(text_of($no_order), "wwid: x1\n\n", 'without positions');
    is_deeply($no_order->{order}, { x1 => 1 }, 'they are added');

    for my $bad (undef, [], 'text', { ids => [] }, { ids => undef }, { ids => { a => 'x' } }) {
        is(eval { text_of($bad); 1 }, undef, 'no configuration: ' . ($json->encode($bad)));
        like($@, qr/\n\z/, 'dies with a text');
    }
}

# --- lines that are not understood ---

my $newer = <<'CFG';
pool: fast
	member 3600b
	# of a newer version

defaults: defaults
	polling-interval 10
	new-knob 5

wwid: 3600b
	alias beta
	no-path-retry sometimes

stray line

wwid: 3600a

CFG

{
    my ($cfg, @warnings) = warnings_of(sub { parse($newer) });
    is_deeply(
        \@warnings,
        [
            "file multipath.cfg line 1 (skip section 'fast'): unsupported type 'pool'\n",
            "file multipath.cfg line 7 (section 'defaults') - unable to parse value of 'new-knob':"
                . " unknown property type\n",
            "file multipath.cfg line 11 (section '3600b') - unable to parse value of"
                . " 'no-path-retry': value does not match the regex pattern\n",
            "file multipath.cfg line 13 - ignore config line: stray line\n",
        ],
        'each is told of, in the sequence of the file',
    );
    is_deeply(
        $cfg->{errors},
        [
            {
                context => 'file multipath.cfg line 7', section => 'defaults', key => 'new-knob',
                err => "unknown property type\n",
            },
            {
                context => 'file multipath.cfg line 11', section => '3600b',
                key => 'no-path-retry', err => "value does not match the regex pattern\n",
            },
        ],
        'the values are errors',
    );
    for my $what (['as it is', $cfg], ['cloned', dclone($cfg)]) {
        is(text_of($what->[1]), $newer, "given back ($what->[0])");
    }

    my $changed = PVE::Multipath::Config::add_wwid($cfg, '3600c');
    is(text_of($changed), "${newer}wwid: 3600c\n\n", 'also after a change');
    $changed = PVE::Multipath::Config::update_wwid($cfg, '3600b', { 'no-path-retry' => 5 });
    is(
        text_of($changed), $newer =~ s/no-path-retry sometimes/no-path-retry 5/r,
        'unless it is what was changed',
    );
    $changed = PVE::Multipath::Config::update_wwid($cfg, '3600b', {}, 'no-path-retry');
    is(text_of($changed), $newer =~ s/\tno-path-retry sometimes\n//r, 'or deleted');
    $changed = PVE::Multipath::Config::remove_wwid($cfg, '3600b');
    is(
        text_of($changed), $newer =~ s/wwid: 3600b\n\talias beta\n\tno-path-retry sometimes\n\n//r,
        'a LUN takes its lines along',
    );
    is(text_of($cfg), $newer, 'the configuration that was handed in is as before');
}

# --- asking ---

{
    my $cfg = parse($file);
    my $managed = {
        'find-multipaths' => 'strict', 'polling-interval' => 5, 'user-friendly-names' => 'no',
    };
    is(frozen(PVE::Multipath::Config::managed_defaults()), frozen($managed), 'managed defaults');
    is(
        frozen(PVE::Multipath::Config::effective_defaults($cfg)),
        frozen({ %$managed, 'no-path-retry' => 'queue', 'polling-interval' => 10 }),
        'effective defaults',
    );
    is_deeply(PVE::Multipath::Config::wwid_list($cfg), ['3600a', '3600b'], 'WWIDs, sorted');
    is_deeply(PVE::Multipath::Config::aliases($cfg), { '3600b' => 'beta' }, 'aliases');
    is_deeply(
        PVE::Multipath::Config::wwid_opts($cfg),
        { '3600b' => { alias => 'beta', 'no-path-retry' => '18' } },
        'knobs of those LUNs that have any',
    );
    is_deeply(
        PVE::Multipath::Config::effective($cfg),
        {
            defaults => {
                'find-multipaths' => { value => 'strict', from => 'default' },
                'no-path-retry' => { value => 'queue', from => 'cluster' },
                'polling-interval' => { value => 10, from => 'cluster' },
                'user-friendly-names' => { value => 'no', from => 'default' },
            },
            luns => {
                '3600a' => {
                    knobs => { 'no-path-retry' => { value => 'queue', from => 'cluster' } },
                },
                '3600b' => {
                    alias => 'beta',
                    knobs => { 'no-path-retry' => { value => '18', from => 'lun' } },
                },
            },
        },
        'what is in force, and from where',
    );
    is_deeply(PVE::Multipath::Config::problems($cfg), [], 'no problems');
    is_deeply(PVE::Multipath::Config::problems($cfg, '0.15.0'), [], 'in any version');
    is(eval { PVE::Multipath::Config::problems($cfg, 'new'); 1 }, undef, 'a version that is none');
    like($@, qr/\A"new" is not a version of multipath-tools\b[^\n]*\n\z/, 'is an error');
}

# [section, property, severity, code] by the rules
for (
    ["wwid: a/b\n", ['a/b', undef, 'error', 'invalid-wwid']],
    ["wwid: " . 'x' x 122 . "\n"],
    ["wwid: " . 'x' x 123 . "\n", ['x' x 123, undef, 'error', 'invalid-wwid']],
    ["wwid: defaults\n", ['defaults', undef, 'error', 'wwid-defaults']],
    ["defaults: other\n", ['other', undef, 'error', 'defaults-name']],
    ["wwid: b\n\talias x\n\nwwid: a\n\talias x\n", ['a', 'alias', 'error', 'duplicate-alias']],
    ["wwid: b\n\talias a\n\nwwid: a\n", ['b', 'alias', 'error', 'alias-is-wwid']],
    ["wwid: b\n\talias b\n"],
    (map { ["wwid: a\n\talias $_\n", ['a', 'alias', 'error', 'reserved-alias']] }
        qw(dm-3 sdb mpatha control pve-root pve-data_tmeta vg-vm--100--disk--0)),
    ["wwid: a\n\nwwid: a\n", ['a', undef, 'warning', 'duplicate-section']],
    ["wwid: a\n\tpath-selector nonsense 0\n", ['a', 'path-selector', 'error', 'path-selector']],
    ["wwid: a\n\tpath-selector service-time 1\n", ['a', 'path-selector', 'error', 'path-selector']],
    ["wwid: a\n\tpath-selector service-time 0\n"],
    [
        "defaults: defaults\n\tpolling-interval 4294967295\n",
        ['defaults', 'polling-interval', 'error', 'out-of-range'],
    ],
    [
        "wwid: a\n\trr-weight uniform\n\trr-min-io-rq 5\n",
        ['a', 'rr-min-io-rq', 'warning', 'ignored-knob'],
        ['a', 'rr-weight', 'warning', 'ignored-knob'],
    ],
) {
    my ($raw, @want) = @$_;
    my $cfg = parse($raw);
    my $found = PVE::Multipath::Config::problems($cfg, '0.15.0');
    is_deeply(
        [map { [$_->@{qw(section property severity code)}] } @$found], \@want,
        'problems of ' . $json->encode($raw),
    );
    is_deeply(
        [grep { ($_->{message} // '') !~ m/\A[^\n]+\z/ } @$found], [], 'each with a sentence',
    );
    ok(!exists($found->[0]->{property}), 'no key where there is no property')
        if @$found && !defined($want[0]->[1]);
    is_deeply(
        [grep { m/ignored/ } map { $_->{code} }
            map { PVE::Multipath::Config::problems($cfg, $_)->@* } '0.11.1', undef],
        [], 'nothing is ignored by 0.11.1, or as long as no version is known',
    );

    my @harmed = map { $_->[0] } grep { $_->[2] eq 'error' && !defined($_->[1]) } @want;
    my %listed = map { $_ => 1 } PVE::Multipath::Config::wwid_list($cfg)->@*;
    is_deeply([grep { $listed{$_} } @harmed], [], 'what is no WWID is on no list');
    for my $want (grep { $_->[2] eq 'error' && defined($_->[1]) } @want) {
        my ($id, $property) = @$want;
        my $section =
            $id eq 'defaults'
            ? PVE::Multipath::Config::effective_defaults($cfg)
            : PVE::Multipath::Config::wwid_opts($cfg)->{$id} // {};
        isnt($section->{$property} // '', $cfg->{ids}->{$id}->{$property}, "$property is hidden");
    }
}

# --- changes ---

# Makes a change, and checks that it leaves its arguments alone.
my sub change($name, $cfg, @args) {
    my $code = PVE::Multipath::Config->can($name);
    my $before = frozen([$cfg, \@args]);
    my $res = eval { $code->($cfg, @args) };
    my $err = $@;
    is(frozen([$cfg, \@args]), $before, "$name leaves what it is given alone");
    return ($res, $err);
}

my sub done($what, $want, $name, @args) {
    my $cfg = parse($file);
    my ($res, $err) = change($name, $cfg, @args);
    is(defined($res) ? text_of($res) : undef, $want, $what) or diag($err);
    is($res->{digest}, $cfg->{digest}, 'the digest stays that of the file');
    return $res;
}

my $digest = parse($file)->{digest};

done('add', "${file}wwid: 3600c\n\n", 'add_wwid', '3600c');
done('add with knobs', "${file}wwid: 3600c\n\talias gamma\n\tno-path-retry fail\n\n",
    'add_wwid', '3600c', { alias => 'gamma', 'no-path-retry' => 'fail', failback => undef });
done('add what is there', $file, 'add_wwid', '3600b');
done('which changes nothing of it', $file, 'add_wwid', '3600b', { alias => 'other' });
done('add with the digest', "${file}wwid: 3600c\n\n", 'add_wwid', '3600c', undef, $digest);
done('the longest WWID', "${file}wwid: " . 'x' x 122 . "\n\n", 'add_wwid', 'x' x 122);
done('remove', $file =~ s/wwid: 3600b\n.*?\n\n//sr, 'remove_wwid', '3600b');
done('remove with the digest', $file =~ s/wwid: 3600a\n\n//r, 'remove_wwid', '3600a', $digest);
done('set', $file =~ s/alias beta\n/alias b2\n\texpected-paths 4\n/r,
    'update_wwid', '3600b', { alias => 'b2', 'expected-paths' => '4' });
done('set the alias that it has', $file, 'update_wwid', '3600b', { alias => 'beta' });
done('an alias that is its own WWID', $file =~ s/alias beta/alias 3600b/r,
    'update_wwid', '3600b', { alias => '3600b' });
done('delete', $file =~ s/\talias beta\n//r, 'update_wwid', '3600b', undef, 'alias');
done("delete, separated by '$_'", $file =~ s/\talias.*\n\tno-path.*\n//r,
    'update_wwid', '3600b', {}, join($_, 'alias', 'no-path-retry'))
    for ',', ';', ' ', ", \t;", "\0";
done('delete what is not set', $file, 'update_wwid', '3600a', {}, 'alias');
done('an empty list', $file, 'update_wwid', '3600a', {}, ' ,');
done('set one, delete another', $file =~ s/alias beta/expected-paths 2/r,
    'update_wwid', '3600b', { 'expected-paths' => 2 }, 'alias');
done('set_alias', $file =~ s/wwid: 3600a\n/wwid: 3600a\n\talias alpha\n/r,
    'set_alias', '3600a', 'alpha');
done('remove_alias', $file =~ s/\talias beta\n//r, 'remove_alias', '3600b', $digest);
done('remove an alias that is not there', $file, 'remove_alias', '3600a', $digest);
done('remove the alias of what is not there', $file, 'remove_alias', '3600x', $digest);
done('remove what is not there', $file, 'remove_wwid', '3600x', $digest);
done('defaults', $file =~ s/polling-interval 10/polling-interval 20/r,
    'update_defaults', { 'polling-interval' => '20' });
done('delete from the defaults', $file =~ s/\tno-path-retry queue\n//r,
    'update_defaults', {}, 'no-path-retry', $digest);

{
    my ($cfg) = change('update_defaults', parse(''), { 'polling-interval' => 7 });
    is(text_of($cfg), "defaults: defaults\n\tpolling-interval 7\n\n", 'a section defaults is made');

    # as it would be read back
    ($cfg) = change('add_wwid', parse(''), 'a', {
        'rr-min-io-rq' => '0018', 'expected-paths' => '+4', 'no-path-retry' => 7,
        'path-selector' => '  service-time 0 ',
    });
    my $stored = {
        type => 'wwid', 'rr-min-io-rq' => 18, 'expected-paths' => 4, 'no-path-retry' => '7',
        'path-selector' => 'service-time 0',
    };
    is(frozen($cfg->{ids}->{a}), frozen($stored), 'numbers are numbers, texts are texts');
    is(frozen(parse(text_of($cfg))->{ids}->{a}), frozen($stored), 'as they are read');

    # a caller's own keys
    my $mine = { %{ parse($file) }, mine => [1] };
    is_deeply((change('remove_wwid', $mine, '3600a'))[0]->{mine}, [1], 'further keys stay');

    # whatever section of type wwid there is, with what was not understood in it
    for my $id ('a/b', 'bad!id', '%2f', 'x' x 123, "\xff\x1b", 'defaults') {
        my $shown = $json->encode($id);
        my $text = "wwid: $id\n\tbogus 1\n\nwwid: c\n\n";
        $cfg = PVE::Multipath::Config::parse_quietly('multipath.cfg', $text);
        ($cfg) = change('remove_wwid', $cfg, $id);
        is(text_of($cfg // {}), "wwid: c\n\n", "section $shown can be removed");
    }
    ($cfg) = change('update_defaults', $cfg, { 'polling-interval' => 7 });
    is(text_of($cfg), "wwid: c\n\ndefaults: defaults\n\tpolling-interval 7\n\n",
        'where the defaults have room then');

    # the global knobs were hidden by it
    my $hidden = "defaults: defaults\n\tno-path-retry 18\n\tbogus 1\n\n";
    my $hides = "wwid: defaults\n\talias oops\n\n";
    for (
        ["$hidden$hides", $hidden], ["$hidden$hides$hides", $hidden],
        ["defaults: defaults\n\n$hides$hidden$hides", $hidden], ["$hides", ''],
    ) {
        my ($text, $expected) = @$_;
        $cfg = dclone(PVE::Multipath::Config::parse_quietly('multipath.cfg', "wwid: c\n\n$text"));
        is(text_of($cfg), "wwid: c\n\n$hides", 'as PVE::SectionConfig writes it');
        ($cfg) = change('remove_wwid', $cfg, 'defaults');
        is(text_of($cfg), "wwid: c\n\n$expected", 'the global knobs are in force again');
    }
}

# --- changes that are refused ---

my $modified = 'detected modified configuration - file changed by other user? Try again.';

# [what, parameter, message, function, arguments]
my @refusals = (
    (map { ["WWID $_->[0]", 'wwid', $_->[1], $_->[2], @$_[3 .. $#$_]] } map {
        my ($name, @args) = @$_;
        (
            ['with a line feed', qr/character '\\n' at position 6/, $name, "3600b\n", @args],
            ['with a blank', qr/invalid character ' '/, $name, '3600b ', @args],
            ['with a slash', qr/invalid character '\/'/, $name, 'a/b', @args],
            ['that is empty', qr/may not be empty/, $name, '', @args],
            ['that is undef', qr/may not be empty/, $name, undef, @args],
            ['that is too long', qr/123 bytes long/, $name, 'x' x 123, @args],
            ['that is an option', qr/"-w"/, $name, '-w', @args],
            ['that is no text', qr/./, $name, ['3600b'], @args],
            ['called defaults', qr/'defaults' cannot be a WWID/, $name, 'defaults', @args],
            ['beyond bytes', qr/invalid character/, $name, "3600\x{20ac}", @args],
        );
    } ['add_wwid'], ['remove_wwid'], ['update_wwid', {}], ['set_alias', 'x'], ['remove_alias']),

    (map { ["$_->[0] of what is not there", 'wwid', qr/^WWID '3600x' is not configured$/, @$_] }
        ['update_wwid', '3600x', {}], ['set_alias', '3600x', 'x']),

    (map { ["$_->[0], another digest", undef, qr/^\Q$modified\E$/, @$_, '0' x 40] }
        ['add_wwid', '3600c', {}], ['remove_wwid', '3600b'], ['update_wwid', '3600b', {}, ''],
        ['set_alias', '3600b', 'x'], ['remove_alias', '3600b'],
        ['remove_wwid', '3600x'], ['remove_alias', '3600x'],
        ['update_defaults', { 'polling-interval' => 7 }, '']),
    ['an empty digest', undef, qr/^\Q$modified\E$/, 'remove_wwid', '3600b', ''],

    (map {
        my ($name, @wwid) = @$_;
        (
            ["$name: unknown knob", 'bogus', qr/./, $name, @wwid, { bogus => 1 }],
            ["$name: the type", 'type', qr/./, $name, @wwid, { type => 'wwid' }],
            ["$name: another type", 'type', qr/./, $name, @wwid, { type => 'defaults' }],
            ["$name: a comment", 'comment', qr/./, $name, @wwid, { comment => 'x' }],
            (map { ["$name: a value that is $_->[0]", 'no-path-retry', qr/./, $name, @wwid,
                    { 'no-path-retry' => $_->[1] }] }
                ['empty', ''], ['no text', []], ['no word of it', 'never'],
                ['continued in the next line', "5\n"]),
            ["$name: too large", 'no-path-retry', qr/at most 2147483647/, $name, @wwid,
                { 'no-path-retry' => '2147483648' }],
            ["$name: not in the list", 'path-grouping-policy', qr/enumeration/, $name, @wwid,
                { 'path-grouping-policy' => 'none' }],
            ["$name: a selector that is none", 'path-selector', qr/./, $name, @wwid,
                { 'path-selector' => 'nonsense 0' }],
            ["$name: a selector with a line feed", 'path-selector', qr/./, $name, @wwid,
                { 'path-selector' => "service-time 0\n\tfailback 5" }],
            ["$name: zero paths", 'expected-paths', qr/minimum value of 1/, $name, @wwid,
                { 'expected-paths' => 0 }],
        );
    } ['add_wwid', '3600c'], ['update_wwid', '3600b'], ['update_defaults']),

    (map { ["$_->[0]: a global knob", 'polling-interval', qr/./, @$_, { 'polling-interval' => 5 }] }
        ['add_wwid', '3600c'], ['update_wwid', '3600b']),
    ['an alias for the defaults', 'alias', qr/./, 'update_defaults', { alias => 'x' }],
    ["a LUN's knob for the defaults", 'rr-weight', qr/./, 'update_defaults',
        { 'rr-weight' => 'uniform' }],
    ['polling-interval 0', 'polling-interval', qr/minimum value of 1/, 'update_defaults',
        { 'polling-interval' => 0 }],

    (map {
        my ($name, @args) = @$_;
        (
            ["$name: delete the type", 'delete', qr/'type'/, $name, @args, {}, 'type'],
            ["$name: delete the ID", 'delete', qr/'id'/, $name, @args, {}, 'id'],
            ["$name: delete what is none", 'delete', qr/'bogus'/, $name, @args, {},
                'no-path-retry,bogus'],
            ["$name: set and delete", 'no-path-retry', qr/at the same time/, $name, @args,
                { 'no-path-retry' => 5 }, 'failback;no-path-retry'],
        );
    } ['update_wwid', '3600b'], ['update_defaults']),
    ['delete a global knob of a LUN', 'delete', qr/'polling-interval'/, 'update_wwid', '3600b', {},
        'polling-interval'],
    ['delete the alias of the defaults', 'delete', qr/'alias'/, 'update_defaults', {}, 'alias'],

    # names
    (map {
        my ($name, @args) = @$_;
        my $how = sub($alias) { $name eq 'set_alias' ? $alias : { alias => $alias } };
        (
            ["$name: the alias of another", 'alias',
                qr/^alias 'beta' is already assigned to WWID '3600b'$/, $name, @args,
                $how->('beta')],
            ["$name: the WWID of another", 'alias', qr/WWID of another LUN/, $name, @args,
                $how->('3600b')],
            (map {
                my $shown = $json->encode($_);
                ["$name: the alias $shown", 'alias', qr/./, $name, @args, $how->($_)];
            } 'dm-3', 'sdb', 'mpatha', 'control', '-x', 'a b', "a\n", 'a/b', 'x' x 65, "\xe4", ''),
        );
    } ['add_wwid', '3600c'], ['update_wwid', '3600a'], ['set_alias', '3600a']),
    ['no alias', 'alias', qr/an alias is needed/, 'set_alias', '3600a', undef],
    ["a WWID that is another's alias", 'wwid', qr/^'beta' is the alias of WWID '3600b'$/,
        'add_wwid', 'beta'],
);

# Proxmox VE's exception is there or not, whatever is installed here.
my $installed = 0;
unshift @INC, sub($self, $name) {
    die "not for this test\n" if $name eq 'PVE/Exception.pm' && !$installed;
    return;
};

my sub refusal($refusal) {
    my ($what, $parameter, $message, $name, @args) = @$refusal;
    my $cfg = parse($file);
    my ($res, $err) = change($name, $cfg, @args);
    is($res, undef, "$what is refused");

    if (!defined($parameter)) {
        is(ref($err), '', 'with a text');
        like($err, qr/\n\z/, 'that ends in a line feed');
        like($err =~ s/\n\z//r, $message, 'and says why');
    } elsif ($installed) {
        isa_ok($err, 'PVE::Exception') or return;
        is_deeply([keys $err->{errors}->%*], [$parameter], 'which names the parameter');
        like($err->{errors}->{$parameter}, $message, 'and says why');
        unlike($err->{errors}->{$parameter}, qr/\n/, 'in one line');
    } else {
        is(ref($err), '', 'with a text');
        my ($named, $reason) = $err =~ m/\A([^:\n]+): ([^\n]+)\n\z/;
        is($named, $parameter, 'that names the parameter');
        like($reason // '', $message, 'and says why');
    }
}

refusal($_) for @refusals;
$installed = 1;
unshift @INC, $double;
refusal($_) for @refusals;

# a section of the other type
{
    my $cfg = parse("wwid: defaults\n\ndefaults: 3600b\n\n");
    for (
        ['update_defaults', { 'polling-interval' => 5 }], ['remove_wwid', '3600b'],
        ['update_wwid', '3600b', {}], ['add_wwid', '3600b'],
    ) {
        my ($res, $err) = change($_->[0], $cfg, @$_[1 .. $#$_]);
        is($res, undef, "$_->[0] of a section of the other type is refused");
        like($err, qr/section '.*' is not of type '.*by hand\n\z/, 'and says what to do');
    }
}

# --- schema ---

{
    my $lun = PVE::Multipath::Config::wwid_api_schema();
    is_deeply(
        [sort keys %$lun],
        [sort qw(alias expected-paths failback no-path-retry path-grouping-policy path-selector
            rr-min-io-rq rr-weight)],
        'the knobs of a LUN',
    );
    my $defaults = PVE::Multipath::Config::defaults_api_schema();
    is_deeply(
        [sort keys %$defaults],
        [sort qw(expected-paths failback find-multipaths no-path-retry path-grouping-policy
            path-selector polling-interval user-friendly-names)],
        'the global knobs',
    );
    for my $schema (values %$lun, values %$defaults) {
        ok($schema->{optional} && !exists($schema->{default}), 'optional, without a default');
        like($schema->{type}, qr/\A(?:string|integer)\z/, 'with a type');
        like($schema->{description}, qr/\.\z/, 'and a description');
    }
}

done_testing();
