# What the stand-in does about strings and numbers where perlmod 0.14.0 is undefined, runs Perl
# code or changes the caller's data.

use v5.36;
use utf8;
no warnings 'surrogate', 'non_unicode', 'nonchar';

use B;
use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;

use StandIn 'stand-in';

# characters that are no bytes
my $wide = "error: string has characters above 0xff where bytes are expected\n";
is(error_of(sub { StandIn::In::take_bytes("a\x{100}") }), $wide, 'wide characters');
is(error_of(sub { StandIn::In::take_byte_buf("a\x{2603}") }), $wide, 'into a buffer');
is(error_of(sub { StandIn::In::take_bytes_map({ "\x{2603}" => 1 }) }), $wide, 'as a key');
my $high = "\x{ff}\x{100}";
chop($high);
is(StandIn::In::take_bytes($high), '[195, 191]', 'the last character that is a byte');

# what perl takes for a character, but Unicode does not
my $invalid = "error: string is not valid Unicode text\n";
for my $char ("\x{d800}", "\x{dfff}", "\x{110000}", "\x{7fffffff}") {
    my $name = sprintf('U+%X', ord($char));
    is(error_of(sub { StandIn::In::take_str($char) }), $invalid, $name);
    is(error_of(sub { StandIn::In::take_map({ $char => 1 }) }), $invalid, "$name as a key");
    is(error_of(sub { StandIn::In::take_tagged($char) }), $invalid, "$name as a variant");
}
is(StandIn::In::take_str("\x{ffff}\x{10ffff}") =~ tr/"//, 2, 'noncharacters are fine');

# the caller's data stays as it is
my $latin1 = "\xfc";
utf8::downgrade($latin1);
StandIn::In::take_str($latin1);
ok(!utf8::is_utf8($latin1), 'a byte string stays one');
is(StandIn::In::take_bytes($latin1), '[252]', 'and is the same as bytes afterwards');
for my $number (5, 1.5, 1e30) {
    my $value = $number;
    my $before = ref(B::svref_2object(\$value));
    my $flags = B::svref_2object(\$value)->FLAGS;
    StandIn::In::take_any($value);
    error_of(sub { StandIn::In::take_i64($value) });
    error_of(sub { StandIn::In::take_str($value) });
    is(ref(B::svref_2object(\$value)), $before, "$number keeps its body");
    is(B::svref_2object(\$value)->FLAGS, $flags, 'and its flags');
}
{
    my $text = 'once text';
    $text = 5;
    my $flags = B::svref_2object(\$text)->FLAGS;
    is(StandIn::In::take_str($text), '"5"', 'a number where text was');
    is(B::svref_2object(\$text)->FLAGS, $flags, 'does not become text');
}

# no warnings, which might be fatal
{
    my @warnings;
    local $SIG{__WARN__} = sub { push @warnings, @_; die "in the handler\n" };
    use warnings FATAL => 'all';
    my $text = 'abc';
    { no warnings; my $number = $text + 0; }
    is(error_of(sub { is(StandIn::In::take_i64($text), '0', 'no number as a number') }), undef, 'lives');
    is(error_of(sub { is(StandIn::In::take_f64($text), '0.0', 'as a float') }), undef, 'lives');
    is(error_of(sub { StandIn::Out::give_none_key() }), undef, 'undef as a key');
    is_deeply(\@warnings, [], 'no warnings');
}
is_deeply(StandIn::Out::give_none_key(), { '' => 0 }, 'the key for undef');
is(
    error_of(sub { StandIn::Out::give_compound_keys() }),
    "error: only scalars can be hash keys\n",
    'perlmod uses the address of the array as a key',
);

# arguments that change while they are looked at
my $same = "\xfc" x 10;
is(
    StandIn::In::take_two($same, $same),
    '[' . join(', ', (252) x 10) . '] "' . "ü" x 10 . '"',
    'one value as bytes and as characters',
);

done_testing();
