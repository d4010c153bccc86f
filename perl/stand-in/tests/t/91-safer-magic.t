# What the stand-in refuses and perlmod 0.14.0 reads by running Perl code, or crashes on: tied
# data, and computed values inside of structures.

use v5.36;

use FindBin;
use lib "$FindBin::Bin/lib";

use Test::More;
use Tie::Array;
use Tie::Hash;
use Tie::Scalar;

use StandIn 'stand-in';

my $refused = "error: cannot deserialize tied or otherwise computed perl values\n";

{
    package Deadly;
    sub TIESCALAR { return bless([], $_[0]) }
    sub TIEARRAY { return bless([], $_[0]) }
    sub TIEHASH { return bless([], $_[0]) }
    our $AUTOLOAD;
    sub AUTOLOAD {
        return if $AUTOLOAD =~ /::(DESTROY|UNTIE)$/;
        die "perl code was run: $AUTOLOAD\n";
    }
}

tie my @array, 'Deadly';
tie my %hash, 'Deadly';
tie my $scalar, 'Deadly';
tie my @plain_array, 'Tie::StdArray';
@plain_array = (1, 2);
tie my %plain_hash, 'Tie::StdHash';
$plain_hash{a} = 1;
tie my $plain_scalar, 'Tie::StdScalar', 'text';

for my $type (qw(any ints option struct tagged str i64 bool bytes f64 char)) {
    my $take = StandIn::In->can("take_$type");
    for (
        ['array' => \@array], ['hash' => \%hash], ['scalar' => \$scalar],
        ['working array' => \@plain_array], ['working hash' => \%plain_hash],
        ['working scalar' => \$plain_scalar],
    ) {
        my ($name, $value) = @$_;
        is(error_of(sub { $take->($value) }), $refused, "$type: tied $name");
    }
    is(error_of(sub { &$take($scalar) }), $refused, "$type: tied scalar itself");
    is(error_of(sub { &$take($plain_scalar) }), $refused, "$type: working one itself");
}
is(error_of(sub { StandIn::In::take_any([\@array]) }), $refused, 'inside an array');
is(error_of(sub { StandIn::In::take_any({ a => \%hash }) }), $refused, 'inside a hash');
is(error_of(sub { StandIn::In::take_any(\%+) }), $refused, 'named groups');
is(error_of(sub { StandIn::In::take_any(\@+) }), $refused, 'positions of groups');
'x' =~ /(x)/;
is(error_of(sub { StandIn::In::take_any(\$1) }), $refused, 'a reference to a group');
is(StandIn::In::take_any($1), 'Borrowed("x")', 'but not the group itself');
is(StandIn::In::take_any(\%ENV) =~ /^Map/, 1, 'nor the environment');

is(StandIn::Out::pass(\%hash), \%hash, 'a tied hash is passed through');
is(tied($scalar) ? 1 : 0, 1, 'the ties hold');
untie @plain_array;
@plain_array = (3);
is(StandIn::In::take_ints(\@plain_array), '[3]', 'an array that was tied');

my @sparse;
$sparse[2] = 1;
is(
    error_of(sub { StandIn::In::take_options(\@sparse) }),
    "error: array has items that were never set\n",
    'a sparse array, which perlmod takes for a shorter one',
);
is(
    error_of(sub { StandIn::Out::pass_option([1]) }),
    "error: an array or a hash can only be returned as a reference\n",
    'a bare array, which perlmod puts on the stack',
);

done_testing();
