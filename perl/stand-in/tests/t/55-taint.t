#!/usr/bin/perl -T

# Taint is no magic: a daemon in taint mode (-T) has all of its input marked, and hands it on.
# Both perlmods take it as the plain data that it is.

use v5.36;

use lib ($0 =~ m!\A([\w./-]*?)[^/]*\z!)[0] . 'lib';

use Scalar::Util qw(tainted);
use Test::More;

use StandIn;

# A value that perl marks: tainted empty texts make tainted sums.
my $mark = substr($^X, 0, 0);
my $text = "text$mark";
my $number = 42;
{
    no warnings 'numeric';
    $number += length($^X) * 0;
}

ok(tainted($text), 'the text is tainted');
ok(tainted($number), 'the number is tainted');

is(StandIn::In::take_str($text), '"text"', 'as characters');
is(StandIn::In::take_bytes($text), '[116, 101, 120, 116]', 'as bytes');
is(StandIn::In::take_i64($number), '42', 'as a number');
is(StandIn::In::take_option($text), 'Some("text")', 'as an option');
is(StandIn::In::take_borrowed_list([$text, "b$mark"]), '["text", "b"]', 'in a list');
is(StandIn::In::take_ints([$number, $number]), '[42, 42]', 'numbers in a list');
like(StandIn::In::take_map({ a => $text }), qr/"a": .*text/, 'in a hash');
ok(tainted($text), 'still tainted');

done_testing();
